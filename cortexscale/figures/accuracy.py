"""Task accuracy and alignment: models as points, on every dataset, in every ROI of one dataset, and among accurate models."""

import math
from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.panels import ACCURACY, AVERAGE_SCORE, SCORE, columns_for, name_models, panels, roi_name
from cortexscale.figures.style import FAMILY_MARKERS, PRETRAINING, colours, dataset_looks
from cortexscale.scaling.accuracy import HIGH_ACCURACY, accuracy_scores, correlations, roi_scores

_MANY = 100
"""Number of models from which on points are small."""
_NAMES = {"imagenet": "ImageNet", "ecoset": "Ecoset"}


def draw_by_dataset(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset, with one point per supervised model of a suite and no fit.

    Raises:
        NothingToShow: no supervised model has a known accuracy.
    """
    scores = accuracy_scores(tables["pretraining"])
    scores = _required(scores[scores["benchmark_name"] != AVERAGE], "a known accuracy")
    looks = dataset_looks(scores["benchmark_name"], datasets)
    figure, grid = panels([look.label for look in looks.values()], 4, (2.3, 2.0), sharex=True)
    for name, panel in zip(looks, grid, strict=True):
        draw_models(panel, scores[scores["benchmark_name"] == name], named=len(looks) <= 4)
        panel.locator_params(axis="y", nbins=5)
    figure.supxlabel(ACCURACY, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    figure.legend(handles=legend_of_models(scores), loc="outside upper center", ncols=8, fontsize=8)
    return figure, scores


def draw_by_roi(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per ROI of the only dataset in ``datasets``, with a line and Pearson's r per pretraining set.

    p values are corrected for false discoveries (Benjamini and Hochberg) among all ROIs and pretraining sets of the study.

    Raises:
        NothingToShow: no supervised model has a known accuracy.
    """
    ((name, dataset),) = datasets.items()
    test = ["pretraining_dataset", "benchmark_name", "roi"]
    scores = roi_scores(tables["pretraining"])
    found = correlations(scores, test)
    scores, found = (table[table["benchmark_name"] == name] for table in (scores, found))
    rois = region_order(_required(scores, "a known accuracy")["roi"].unique())
    size = (2.6, 2.7) if len(rois) <= 4 else (1.75, 1.55)
    figure, grid = panels([roi_name(roi) for roi in rois], columns_for(len(rois)), size, sharex=True)
    for roi, panel in zip(rois, grid, strict=True):
        models = scores[scores["roi"] == roi]
        draw_models(panel, models, named=len(rois) <= 4)
        draw_trends(panel, models, found[found["roi"] == roi])
        # Room for the text below the points.
        low, high = models["score"].min(), models["score"].max()
        reach = high - low or 0.1
        panel.set_ylim(low - 0.35 * reach, high + 0.05 * reach)
        panel.locator_params(nbins=4)
    figure.supxlabel(ACCURACY, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend, columns = legend_of_models(scores), min(8, 2 * len(rois))
    figure.legend(handles=legend, loc="outside upper center", ncols=columns, fontsize=8, title=dataset.label)
    return figure, scores.merge(found, on=test, how="left")


def draw_accurate(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw the average alignment of accurate models, with a line and Pearson's r per pretraining set.

    Raises:
        NothingToShow: no model is as accurate as ``HIGH_ACCURACY``.
    """
    scores = accuracy_scores(tables["pretraining"])
    scores = scores[(scores["benchmark_name"] == AVERAGE) & (scores["task_evaluation_acc"] >= HIGH_ACCURACY)]
    scores = _required(scores, f"an accuracy of {HIGH_ACCURACY} or more")
    found = correlations(scores, ["pretraining_dataset"])
    figure, panel = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    draw_models(panel, scores)
    draw_trends(panel, scores, found, size=8)
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    figure.legend(handles=legend_of_models(scores), loc="outside right center", fontsize=8)
    return figure, scores.merge(found, on="pretraining_dataset", how="left")


def _required(scores: pd.DataFrame, what: str) -> pd.DataFrame:
    if scores.empty:
        remedy = "leave the figure out of `figures`"
        raise NothingToShow("table pretraining", f"no supervised model with {what}", "models that the figure shows", remedy)
    return scores


def set_colours(models: pd.DataFrame) -> dict[str, str]:
    """Return a colour for every pretraining set, in alphabetical order."""
    return colours(sorted(models["pretraining_dataset"].unique()), PRETRAINING)


def set_name(dataset: str) -> str:
    """Return the name of a pretraining set in figures, such as ``ImageNet`` for ``imagenet``."""
    return _NAMES.get(dataset, dataset)


def draw_models(panel: Axes, models: pd.DataFrame, *, named: bool = True) -> None:
    """Draw alignment against accuracy, with a colour per pretraining set and a marker per family.

    Args:
        models: ``model_id``, ``pretraining_dataset``, ``backbone_arch_family``, ``task_evaluation_acc``, ``score``.
        named: write names beside the points of few models.
    """
    colour, size = set_colours(models), 20 if len(models) < _MANY else 9
    if named:
        name_models(panel, models, "task_evaluation_acc")
    for (dataset, family), points in models.groupby(["pretraining_dataset", "backbone_arch_family"]):
        look = {"color": colour[dataset], "marker": FAMILY_MARKERS.get(family, "h"), "alpha": 0.6, "linewidths": 0}
        panel.scatter(points["task_evaluation_acc"], points["score"], s=size, **look)


def draw_trends(panel: Axes, models: pd.DataFrame, correlations: pd.DataFrame, size: float = 6.5) -> None:
    """Draw the line of every pretraining set, and write its r and p.

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
    """Return a darker shade for small text, which needs more contrast than a line."""
    return tuple(0.75 * channel for channel in to_rgb(shade))


def p_value(p: float) -> str:
    """Format a p value that is corrected for false discoveries; below 0.001 as the next power of ten."""
    if p >= 0.001:
        return f"$p_\\mathrm{{FDR}}$ = {p:.3f}"
    power = math.ceil(math.log10(p)) if p > 0 else -300
    return f"$p_\\mathrm{{FDR}}$ < 10$^{{{power}}}$"


def legend_of_models(models: pd.DataFrame) -> list[plt.Line2D]:
    """Return the entries of a legend: pretraining sets, then families."""
    colour = set_colours(models)
    sets = [plt.Line2D([], [], color=shade, lw=3, label=set_name(name)) for name, shade in colour.items()]
    families = sorted(models["backbone_arch_family"].unique())
    markers = {family: FAMILY_MARKERS.get(family, "h") for family in families}
    return sets + [plt.Line2D([], [], color="0.3", marker=m, ms=4.5, lw=0, label=family) for family, m in markers.items()]
