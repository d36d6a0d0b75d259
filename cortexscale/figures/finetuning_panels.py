"""Parts of the figures of fine-tuning: lines, bars and heat maps, and the names and colours of models."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cortexscale.figures.content import FigureDataset
from cortexscale.figures.panels import legend_above, panels
from cortexscale.figures.style import FAMILIES, colours, dataset_looks
from cortexscale.scaling.finetuning import summary

GAIN = "Change in alignment, ΔS"
AVERAGE_GAIN = "Average change in alignment, ΔS"
SAMPLES = "Stimuli fine-tuned on"
HUNDREDFOLD = 100
"""Heat maps show 100 ΔS, as in the paper."""
_MODELS = {"deit_small": "ViT-S", "deit_base": "ViT-B", "deit_large": "ViT-L", "convnext_small": "ConvNeXt-S"}
_MODELS |= {"resnet50": "ResNet-50"}
_MODEL_COLOURS = {"ViT-S": FAMILIES["ViT"], "ViT-B": "#f4a6ab", "ViT-L": "#780000"}
_MODEL_COLOURS |= {"ConvNeXt-S": FAMILIES["ConvNeXt"], "ResNet-50": FAMILIES["ResNet"]}
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")


def dataset_labels(
    runs: pd.DataFrame, datasets: Mapping[str, FigureDataset], column: str = "finetuning_dataset"
) -> dict[str, str]:
    """Return the label of every dataset of a column, in the order of the study; the average comes last."""
    return {name: look.label for name, look in dataset_looks(runs[column], datasets).items()}


def model_names(architectures: Iterable[str]) -> dict[str, str]:
    """Return the names of architectures in figures, such as ``ViT-S`` for ``deit_small``, in their order."""
    return {arch: _MODELS.get(arch, arch) for arch in dict.fromkeys(architectures)}


def model_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for every name of :func:`model_names`."""
    return colours(names, _MODEL_COLOURS)


def draw_lines(
    panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset], x: str, value: str, strong: str | None = None
) -> pd.DataFrame:
    """Draw one line per dataset of the fine-tuning: means over seeds at every ``x`` with 95 % intervals. Return the numbers.

    Args:
        strong: the dataset whose line is wider.
    """
    numbers = []
    for name, look in dataset_looks(runs["finetuning_dataset"], datasets).items():
        means = summary(runs[runs["finetuning_dataset"] == name].sort_values(x), ["finetuning_dataset", x], value)
        width = 2.4 if name == strong else 1.2
        panel.plot(means[x], means["mean"], color=look.colour, marker=look.marker, ms=4, lw=width, label=look.label)
        panel.fill_between(means[x], means["low"], means["high"], color=look.colour, alpha=0.15, lw=0)
        numbers.append(means)
    return pd.concat(numbers, ignore_index=True).assign(value=value)


def draw_base(panel: Axes, values: pd.Series) -> None:
    """Draw the base model as a dotted line across the panel."""
    panel.axhline(values.iloc[0], color="0.35", lw=1, ls=":", label="base model")


def draw_bars(
    panel: Axes,
    means: pd.DataFrame,
    x: tuple[str, dict[str, str]],
    hue: tuple[str, dict[str, str]],
    colour: dict[str, str],
    error: str = "interval",
) -> None:
    """Draw groups of bars of a table of :func:`cortexscale.scaling.finetuning.summary`.

    Args:
        x, hue: a column, and its values in order with their names.
        colour: colours by the names of the hue.
        error: what error bars show: ``interval``, or ``sem`` for standard errors.
    """
    width = 0.8 / len(hue[1])
    places = dict(zip(x[1], range(len(x[1])), strict=True))
    for number, (value, name) in enumerate(hue[1].items()):
        rows = means[(means[hue[0]] == value) & means[x[0]].isin(places)]
        at = rows[x[0]].map(places) + width * (number - (len(hue[1]) - 1) / 2)
        label = {"color": colour[name], "label": name, "hatch": _HATCHES[number % len(_HATCHES)], "edgecolor": "white", "lw": 0}
        panel.bar(at, rows["mean"], width, **label)
        draw_errors(panel, at, rows, error)
    panel.axhline(0, color="black", lw=0.7)
    panel.set_xticks(range(len(x[1])), list(x[1].values()), rotation=45, ha="right", rotation_mode="anchor")


def draw_errors(panel: Axes, at: pd.Series, rows: pd.DataFrame, error: str = "interval") -> None:
    """Draw 95 % intervals of means, or their standard errors."""
    reach = [rows["sem"]] * 2 if error == "sem" else [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    panel.errorbar(
        at, rows["mean"], np.clip(reach, 0, None), fmt="none", ecolor="0.15", elinewidth=0.9, capsize=1.5, capthick=0.9
    )


def draw_gains_by_dataset(
    runs: pd.DataFrame,
    datasets: Mapping[str, FigureDataset],
    hue: tuple[str, dict],
    colour: dict[str, str],
    error: str = "interval",
) -> tuple[Figure, pd.DataFrame]:
    """Draw the gain on every dataset and on average by :func:`draw_bars`, with one panel per dataset of the fine-tuning."""
    means = summary(runs, ["finetuning_dataset", "benchmark_name", hue[0]])
    trained, tested = (dataset_labels(runs, datasets, column) for column in ("finetuning_dataset", "benchmark_name"))
    figure, grid = panels(list(trained.values()), 3, (3, 1.9), sharex=True, sharey=True)
    for name, panel in zip(trained, grid, strict=True):
        draw_bars(panel, means[means["finetuning_dataset"] == name], ("benchmark_name", tested), hue, colour, error)
    figure.supylabel(GAIN, fontsize=9)
    legend_above(figure, grid[0])
    return figure, means


def draw_heat_maps(
    runs: pd.DataFrame, facets: dict[str, str], facet: str, rows: tuple[str, str], columns: tuple[str, str], per_row: int = 3
) -> tuple[Figure, pd.DataFrame]:
    """Draw 100 ΔS, averaged over everything else, with one panel per facet and one colour scale for all panels.

    Colours reach as far as the largest gain. Losses beyond it have one colour, and their numbers tell them apart.

    Args:
        facets: values of the column ``facet`` in order -> titles of their panels.
        rows, columns: a column of the table, and the label of its axis.
    """
    means = summary(runs[runs[facet].isin(facets)], [facet, rows[0], columns[0]])
    means = means.assign(**{name: HUNDREDFOLD * means[name] for name in ("mean", "low", "high", "sem")})
    down, across = sorted(means[rows[0]].unique()), sorted(means[columns[0]].unique())
    most = means["mean"].max()
    norm = CenteredNorm(halfrange=most if most > 0 else means["mean"].abs().max())
    size = (0.62 * len(across) + 0.75, 0.42 * len(down) + 0.75)
    figure, grid = panels(list(facets.values()), per_row, size, sharex=True, sharey=True)
    for name, panel in zip(facets, grid, strict=True):
        of_facet = means[means[facet] == name]
        table = of_facet.pivot(index=rows[0], columns=columns[0], values="mean").reindex(index=down, columns=across)
        image = draw_heat(panel, table, norm)
        panel.set_xticks(range(len(across)), [tick(value) for value in across])
        panel.set_yticks(range(len(down)), [tick(value) for value in down])
    figure.supxlabel(columns[1], fontsize=9)
    figure.supylabel(rows[1], fontsize=9)
    colour_bar(figure, image, grid, extend="min" if means["mean"].min() < norm.vmin else "neither")
    return figure, means


def tick(value: float) -> str:
    """Format a number for a tick: ``20`` for 20.0, ``5e-6`` for 5e-06."""
    return f"{value:g}" if value >= 1 else np.format_float_scientific(value, precision=1, trim="-", exp_digits=1)


def draw_heat(panel: Axes, table: pd.DataFrame, norm: CenteredNorm) -> AxesImage:
    """Draw a table as coloured cells with their numbers; missing cells stay white."""
    image = panel.imshow(table, cmap="vlag", norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(table.to_numpy(float)):
        if np.isfinite(value):
            dark = abs(value) > 0.75 * norm.vmax
            text = f"{round(value, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    return image


def colour_bar(figure: Figure, image: AxesImage, grid: Sequence[Axes], label: str = "100 ΔS", extend: str = "neither") -> None:
    """Draw the colour bar of a heat map beside its panels."""
    bar = figure.colorbar(image, ax=list(grid), shrink=0.8, aspect=25, extend=extend, pad=0.02)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
