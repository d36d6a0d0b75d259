"""What figures of task accuracy and alignment share: models as points."""

import math
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from cortexscale.figures.style import FAMILY_MARKERS, PRETRAINING, colours

_MANY = 100
"""Models from which on points are small."""
_NAMES = {"imagenet": "ImageNet", "ecoset": "Ecoset"}


def set_colours(models: pd.DataFrame) -> dict[str, str]:
    """A colour for every pretraining set, in alphabetical order."""
    return colours(sorted(models["pretraining_dataset"].unique()), PRETRAINING)


def set_name(dataset: str) -> str:
    """``ImageNet`` of ``imagenet``."""
    return _NAMES.get(dataset, dataset)


def draw_models(panel: Axes, models: pd.DataFrame) -> None:
    """Alignment against accuracy: coloured by the pretraining set, a marker for every family.

    Args:
        models: ``pretraining_dataset``, ``backbone_arch_family``, ``task_evaluation_acc``, ``score``.
    """
    colour, size = set_colours(models), 20 if len(models) < _MANY else 9
    for (dataset, family), points in models.groupby(["pretraining_dataset", "backbone_arch_family"]):
        look = {"color": colour[dataset], "marker": FAMILY_MARKERS.get(family, "h"), "alpha": 0.6, "linewidths": 0}
        panel.scatter(points["task_evaluation_acc"], points["score"], s=size, **look)


def draw_trends(panel: Axes, models: pd.DataFrame, correlations: pd.DataFrame, size: float = 6.5) -> None:
    """The line of every pretraining set, and in words how close it is.

    Args:
        correlations: rows of :func:`cortexscale.scaling.accuracy.correlations`, one per pretraining set.
        size: of the text, in points.
    """
    colour = set_colours(models)
    reaches = models.groupby("pretraining_dataset")["task_evaluation_acc"].agg(["min", "max"])
    rows = list(correlations.sort_values("pretraining_dataset", ascending=False).itertuples())
    for number, (row, dashes) in enumerate(zip(rows, cycle(("-", (0, (3, 1.5)), ":")))):
        reach, shade = reaches.loc[row.pretraining_dataset], colour[row.pretraining_dataset]
        line = row.intercept + row.slope * reach
        panel.plot(reach, line, color="white", lw=3, zorder=2)
        panel.plot(reach, line, color=shade, lw=1.4, ls=dashes, zorder=3)
        place = {"xy": (1, 0), "xycoords": "axes fraction", "xytext": (-2, 2 + 1.4 * size * number)}
        text = f"r = {row.r:.2f}, {p_value(row.p_fdr)}"
        panel.annotate(text, textcoords="offset points", ha="right", va="bottom", color=darker(shade), fontsize=size, **place)


def darker(shade: str) -> tuple[float, ...]:
    """Small text wants more contrast than a line."""
    return tuple(0.75 * channel for channel in to_rgb(shade))


def p_value(p: float) -> str:
    """Of false discoveries; powers of ten below a thousandth."""
    if p >= 0.001:
        return f"$p_\\mathrm{{FDR}}$ = {p:.3f}"
    power = math.ceil(math.log10(p)) if p > 0 else -300
    return f"$p_\\mathrm{{FDR}}$ < 10$^{{{power}}}$"


def legend_of_models(models: pd.DataFrame) -> list[plt.Line2D]:
    """Handles of a legend: pretraining sets, then families."""
    colour = set_colours(models)
    handles = [plt.Line2D([], [], color=shade, lw=3, label=set_name(name)) for name, shade in colour.items()]
    shown = sorted(models["backbone_arch_family"].unique())
    markers = {family: FAMILY_MARKERS.get(family, "h") for family in shown}
    return handles + [plt.Line2D([], [], color="0.3", marker=m, ms=4.5, lw=0, label=family) for family, m in markers.items()]
