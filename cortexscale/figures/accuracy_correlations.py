"""Correlation of task accuracy and alignment, ROI by ROI."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.accuracy import set_colours, set_name
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.panels import roi_name
from cortexscale.scaling.accuracy import correlations, roi_scores

_MARKERS = "osD^vP"
_INCHES_PER_ROI = 0.32
_WIDEST = 40
"""Number of ROIs in one row of panels; a dataset that has more is a row of its own."""


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset, with one point per ROI and pretraining set.

    Raises:
        NothingToShow: no dataset has three models of one pretraining set whose accuracy is known.
    """
    found = correlations(roi_scores(tables["pretraining"]), ["pretraining_dataset", "benchmark_name", "roi"])
    found = found[found["benchmark_name"].isin(list(datasets))]
    rois = {name: region_order(rows["roi"].unique()) for name, rows in found.groupby("benchmark_name")}
    rows = _rows({name: len(rois[name]) for name in datasets if name in rois})
    if not rows:
        expected, remedy = "three models of one pretraining set with a known accuracy", "leave the figure out of `figures`"
        raise NothingToShow("table pretraining", "too few models for a correlation", expected, remedy)
    widest = max(sum(row.values()) + len(row) for row in rows)
    figure = plt.figure(figsize=(max(_INCHES_PER_ROI * widest, 2) + 0.8, 2.4 * len(rows) + 0.3), layout="constrained")
    colour = set_colours(found)
    lines = []
    for part, row in zip(np.atleast_1d(figure.subfigures(len(rows), 1)), rows, strict=True):
        widths = [count + 1 for count in row.values()]
        spare = [widest - sum(widths)] if widest > sum(widths) else []
        (grid,) = part.subplots(1, len(widths + spare), sharey=True, squeeze=False, width_ratios=widths + spare)
        for empty in grid[len(row) :]:
            empty.set_axis_off()
        for name, panel in zip(row, grid, strict=False):
            of_dataset = found[found["benchmark_name"] == name].set_index("roi")
            lines = []
            for number, (pretraining, shade) in enumerate(colour.items()):
                points = of_dataset[of_dataset["pretraining_dataset"] == pretraining].reindex(rois[name])
                at = np.arange(len(rois[name])) + 0.26 * (number - (len(colour) - 1) / 2)
                reach = [points["r"] - points["low"], points["high"] - points["r"]]
                look = {"color": shade, "marker": _MARKERS[number % len(_MARKERS)], "ms": 4, "lw": 0, "elinewidth": 1.2}
                lines.append(panel.errorbar(at, points["r"], reach, label=set_name(pretraining), **look))
            panel.set_xticks(range(len(rois[name])), [roi_name(roi) for roi in rois[name]], rotation=60, ha="right")
            panel.tick_params(labelsize=8)
            panel.set_title(datasets[name].label, fontsize=9)
            panel.set_xlim(-0.6, len(rois[name]) - 0.4)
            if found["low"].min() < 0:
                panel.axhline(0, color="black", lw=0.7)
        grid[0].set_ylabel("r of accuracy and alignment", fontsize=9)
    figure.legend(handles=lines, loc="outside upper right", ncols=len(colour), fontsize=8)
    return figure, found


def _rows(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Distribute datasets with their numbers of ROIs over rows of panels."""
    rows: list[dict[str, int]] = []
    for name, count in counts.items():
        if not rows or sum(rows[-1].values()) + count > _WIDEST:
            rows.append({})
        rows[-1][name] = count
    return rows
