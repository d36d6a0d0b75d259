"""Functions that several figures of fine-tuning share: they draw lines and bars, and name and colour models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from cortexscale.figures.content import Datasets, Drawn
from cortexscale.figures.panels import SLANTED, draw_means, letter_panels
from cortexscale.figures.style import FAMILIES, colours, dataset_looks, log_x
from cortexscale.scaling.finetuning import relations, summary

GAIN = "Change in alignment, ΔS"
AVERAGE_GAIN = "Average change in alignment, ΔS"
GROWTH = {"fitting_samples": "Stimuli fine-tuned on", "n_subjects": "Subjects fine-tuned on"}
"""Column with the amount of data of a fine-tuning -> label of the axis."""
_MODELS = {
    "deit_small": ("ViT-S", FAMILIES["ViT"]),
    "deit_base": ("ViT-B", "#f4a6ab"),
    "deit_large": ("ViT-L", "#780000"),
    "convnext_small": ("ConvNeXt-S", FAMILIES["ConvNeXt"]),
    "resnet50": ("ResNet-50", FAMILIES["ResNet"]),
}
"""Architecture of the paper -> name in figures, and colour."""
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx")

DrawPanel = Callable[[Axes, pd.DataFrame, Datasets], pd.DataFrame]
"""Function that draws a table into a panel and returns the plotted numbers."""


class Hue(NamedTuple):
    """A column whose values are shown as colours. ``looks`` is value -> (name, colour), in the order of the legend."""

    column: str
    looks: Mapping[Any, tuple[str, str]]


def model_hue(architectures: Iterable[str]) -> Hue:
    """Return a colour for every architecture, and a short name, such as ``ViT-S`` for ``deit_small``."""
    names = {arch: _MODELS[arch][0] if arch in _MODELS else arch for arch in dict.fromkeys(architectures)}
    colour = colours(names.values(), dict(_MODELS.values()))
    return Hue("arch", {arch: (name, colour[name]) for arch, name in names.items()})


def dataset_labels(runs: pd.DataFrame, datasets: Datasets, column: str = "finetuning_dataset") -> dict[str, str]:
    """Return the label of every dataset in a column, in the order of the study. The average comes last."""
    return {name: look.label for name, look in dataset_looks(runs[column], datasets).items()}


def with_relations(pairs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Add the column ``relation``, which :func:`cortexscale.scaling.finetuning.relations` defines."""
    modality = {name: dataset.modality for name, dataset in datasets.items() if dataset.modality}
    return pairs.assign(relation=relations(pairs, modality))


def draw_parts(parts: Sequence[tuple[DrawPanel, pd.DataFrame]], datasets: Datasets, width: float, rows: int = 1) -> Drawn:
    """Draw every table with its function in a panel of its own, which is ``width`` inches wide."""
    columns = -(-len(parts) // rows)
    size = (width * columns, 3.4 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    drawn = grid.flat[: len(parts)]
    numbers = [draw_panel(panel, table, datasets) for (draw_panel, table), panel in zip(parts, drawn, strict=True)]
    letter_panels(drawn)
    for empty in grid.flat[len(parts) :]:
        empty.set_axis_off()
    lettered = [each.assign(panel=letter) for each, letter in zip(numbers, "abcd", strict=False)]
    return figure, pd.concat(lettered, ignore_index=True)


def draw_growth(
    panel: Axes, runs: pd.DataFrame, datasets: Datasets, x: str, value: str = "score", strong: str | None = None
) -> pd.DataFrame:
    """Draw the base model as a dotted line, and one line per dataset of the fine-tuning. Return the plotted numbers.

    Lines are means of a column over seeds with 95 % intervals. The line of the dataset ``strong`` is wider.
    """
    base = runs["baseline" if value == "score" else "baseline_acc"].iloc[0]
    panel.axhline(base, color="0.35", lw=1, ls=":", label="base model")
    numbers = []
    for name, look in dataset_looks(runs["finetuning_dataset"], datasets).items():
        means = summary(runs[runs["finetuning_dataset"] == name].sort_values(x), ["finetuning_dataset", x], value)
        width = 2.4 if name == strong else 1.2
        draw_means(panel, means, x, color=look.colour, marker=look.marker, ms=4, lw=width, label=look.label)
        numbers.append(means)
    if x == "n_subjects":
        panel.locator_params(axis="x", integer=True)
    else:
        log_x(panel, runs[x])
    return pd.concat(numbers, ignore_index=True).assign(value=value)


def draw_bars(panel: Axes, means: pd.DataFrame, x: str, labels: Mapping[str, str], hue: Hue, error: str = "interval") -> None:
    """Draw a group of bars for every value of the column ``x`` that has a label, in the order of ``labels``.

    Error bars show the columns ``low`` and ``high``. If ``error`` is ``sem``, error bars show standard errors.
    """
    width = 0.8 / len(hue.looks)
    places = {value: place for place, value in enumerate(labels)}
    for number, (value, (name, colour)) in enumerate(hue.looks.items()):
        rows = means[(means[hue.column] == value) & means[x].isin(places)]
        at = rows[x].map(places).astype(float) + width * (number - (len(hue.looks) - 1) / 2)
        hatch = _HATCHES[number % len(_HATCHES)]
        panel.bar(at, rows["mean"], width, color=colour, label=name, hatch=hatch, edgecolor="white", lw=0)
        draw_errors(panel, at, rows, error)
    panel.axhline(0, color="black", lw=0.7)
    panel.set_xticks(range(len(labels)), list(labels.values()), **SLANTED)


def draw_errors(panel: Axes, at: ArrayLike, rows: pd.DataFrame, error: str = "interval") -> None:
    """Draw 95 % intervals of means, or their standard errors."""
    reach = [rows["sem"]] * 2 if error == "sem" else [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    reach = np.clip(reach, 0, None)
    panel.errorbar(at, rows["mean"], reach, fmt="none", ecolor="0.15", elinewidth=0.9, capsize=1.5, capthick=0.9)
