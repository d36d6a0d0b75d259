"""What the figures of neural fine-tuning share: names and colours, lines, bars and heat maps."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cortexscale.datasets.facts import MODALITY_NAMES
from cortexscale.datasets.registry import all_facts
from cortexscale.figures.panels import legend_above, panels
from cortexscale.figures.style import BENCHMARK_MARKERS, BENCHMARKS, FAMILIES, colours, in_order
from cortexscale.scaling.finetuning import AVERAGE, summary

GAIN = "Change in alignment, ΔS"
AVERAGE_GAIN = "Average change in alignment, ΔS"
SCORE = "Alignment S (noise-normalised r)"
AVERAGE_SCORE = "Average alignment S (noise-normalised r)"
SAMPLES = "Stimuli fine-tuned on"
ACCURACY = "Task accuracy (top-1)"
HUNDREDFOLD = 100
"""Heat maps show 100 ΔS, as in the paper."""
SWEEP = (("epochs", "Epochs"), ("learning_rate", "Learning rate"))
LORA = (("lora_rank", "LoRA rank"), ("learning_rate", "Learning rate"))
_MODELS = {"deit_small": "ViT-S", "deit_base": "ViT-B", "deit_large": "ViT-L", "convnext_small": "ConvNeXt-S"}
_MODELS |= {"resnet50": "ResNet-50"}
_MODEL_COLOURS = {"ViT-S": FAMILIES["ViT"], "ViT-B": "#f4a6ab", "ViT-L": "#780000"}
_MODEL_COLOURS |= {"ConvNeXt-S": FAMILIES["ConvNeXt"], "ResNet-50": FAMILIES["ResNet"]}
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")
_OTHER_MARKERS = "o^sDvP"


def handles(runs: pd.DataFrame, labels: dict[str, str], column: str = "finetuning_dataset") -> dict[str, str]:
    """Handle of every dataset of a column, in the order of the config; the average last."""
    names = set(runs[column])
    shown = {name: labels.get(name, name) for name in in_order(names - {AVERAGE}, labels)}
    return shown | ({AVERAGE: "Average"} if AVERAGE in names else {})


def modalities(labels: dict[str, str]) -> dict[str, str]:
    """Modality of the datasets whose handle is one of the paper's."""
    known = {entry.label: MODALITY_NAMES[entry.modality] for entry in all_facts().values()}
    return {name: known[handle] for name, handle in labels.items() if handle in known}


def model_names(architectures: Sequence[str]) -> dict[str, str]:
    """``ViT-S`` of ``deit_small``, in the order in which they come."""
    return {arch: _MODELS.get(arch, arch) for arch in dict.fromkeys(architectures)}


def model_colours(names: Sequence[str]) -> dict[str, str]:
    return colours(names, _MODEL_COLOURS)


def markers(shown: Sequence[str]) -> dict[str, str]:
    """A marker for every handle."""
    return {handle: BENCHMARK_MARKERS.get(handle, _OTHER_MARKERS[n % len(_OTHER_MARKERS)]) for n, handle in enumerate(shown)}


def draw_lines(
    panel: Axes, runs: pd.DataFrame, labels: dict[str, str], x: str, value: str, strong: str | None = None
) -> pd.DataFrame:
    """One line per fine-tuning dataset: mean and 95 % interval over seeds at every ``x``. Returns the numbers.

    Args:
        strong: dataset whose line is wider.
    """
    shown = handles(runs, labels)
    colour, marker = colours(shown.values(), BENCHMARKS), markers(list(shown.values()))
    numbers = []
    for name, handle in shown.items():
        means = summary(runs[runs["finetuning_dataset"] == name].sort_values(x), ["finetuning_dataset", x], value)
        width = 2.4 if name == strong else 1.2
        panel.plot(means[x], means["mean"], color=colour[handle], marker=marker[handle], ms=4, lw=width, label=handle)
        panel.fill_between(means[x], means["low"], means["high"], color=colour[handle], alpha=0.15, lw=0)
        numbers.append(means)
    return pd.concat(numbers, ignore_index=True).assign(value=value)


def draw_base(panel: Axes, values: pd.Series, label: str | None = "base model") -> None:
    """The base model, as a dotted line across."""
    panel.axhline(values.iloc[0], color="0.35", lw=1, ls=":", label=label)


def draw_bars(
    panel: Axes,
    means: pd.DataFrame,
    x: tuple[str, dict[str, str]],
    hue: tuple[str, dict[str, str]],
    colour: dict[str, str],
    error: str = "interval",
) -> None:
    """Groups of bars from :func:`cortexscale.scaling.finetuning.summary`.

    Args:
        x, hue: column, and its values in order with what they are called.
        colour: by name of the hue.
        error: ``interval`` or ``sem``.
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
    """Intervals of means, or their standard errors."""
    reach = [rows["sem"]] * 2 if error == "sem" else [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    panel.errorbar(
        at, rows["mean"], np.clip(reach, 0, None), fmt="none", ecolor="0.15", elinewidth=0.9, capsize=1.5, capthick=0.9
    )


def draw_gains_by_dataset(
    runs: pd.DataFrame,
    labels: dict[str, str],
    hue: tuple[str, dict],
    colour: dict[str, str],
    error: str = "interval",
) -> tuple[Figure, pd.DataFrame]:
    """Gain on every benchmark and on average, one panel per dataset of the fine-tuning; arguments of :func:`draw_bars`."""
    means = summary(runs, ["finetuning_dataset", "benchmark_name", hue[0]])
    shown, tested = handles(runs, labels), handles(runs, labels, "benchmark_name")
    figure, grid = panels(list(shown.values()), 3, (3, 1.9), sharex=True, sharey=True)
    for name, panel in zip(shown, grid, strict=True):
        draw_bars(panel, means[means["finetuning_dataset"] == name], ("benchmark_name", tested), hue, colour, error)
    figure.supylabel(GAIN, fontsize=9)
    legend_above(figure, grid[0])
    return figure, means


def draw_heat_maps(
    runs: pd.DataFrame, facets: dict[str, str], facet: str, rows: tuple[str, str], columns: tuple[str, str], per_row: int = 3
) -> tuple[Figure, pd.DataFrame]:
    """100 ΔS, mean over everything else, one panel per facet and one colour scale for all.

    Colours reach as far as the largest gain; losses beyond it look alike, and are told by their numbers.

    Args:
        facets: values of the column ``facet`` in order, with their titles.
        rows, columns: column of the table, and its label.
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
    """``20`` of 20.0, ``5e-6`` of 5e-06."""
    return f"{value:g}" if value >= 1 else np.format_float_scientific(value, precision=1, trim="-", exp_digits=1)


def draw_heat(panel: Axes, table: pd.DataFrame, norm: CenteredNorm) -> AxesImage:
    """A table as coloured cells with their numbers; what is not there stays white."""
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
    bar = figure.colorbar(image, ax=list(grid), shrink=0.8, aspect=25, extend=extend, pad=0.02)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)
