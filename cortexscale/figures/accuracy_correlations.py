"""Figures S40 to S43: how closely alignment goes with task accuracy, ROI by ROI."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.accuracy import set_colours, set_name
from cortexscale.figures.roi_panels import roi_name
from cortexscale.scaling.accuracy import correlations, roi_scores

_MARKERS = "osD^vP"
_INCHES_PER_ROI = 0.32


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per dataset, one point per ROI and pretraining set: Pearson's r over models, with its 95 % bootstrap interval.

    Args:
        labels: the datasets to show, and what they are called.
    """
    found = correlations(roi_scores(tables["pretraining"]), ["pretraining_dataset", "benchmark_name", "roi"])
    found = found[found["benchmark_name"].isin(list(labels))]
    rois = {name: region_order(rows["roi"].unique()) for name, rows in found.groupby("benchmark_name")}
    shown = [name for name in labels if name in rois]
    widths = [len(rois[name]) + 1 for name in shown]
    size = (max(_INCHES_PER_ROI * sum(widths), 2) + 0.8, 2.7)
    sharing = {"sharey": True, "width_ratios": widths, "squeeze": False, "layout": "constrained"}
    figure, (grid,) = plt.subplots(1, len(shown), figsize=size, **sharing)
    colour = set_colours(found)
    for name, panel in zip(shown, grid, strict=True):
        of_dataset = found[found["benchmark_name"] == name].set_index("roi")
        for number, (pretraining, shade) in enumerate(colour.items()):
            rows = of_dataset[of_dataset["pretraining_dataset"] == pretraining].reindex(rois[name])
            at = np.arange(len(rois[name])) + 0.26 * (number - (len(colour) - 1) / 2)
            reach = [rows["r"] - rows["low"], rows["high"] - rows["r"]]
            look = {"color": shade, "marker": _MARKERS[number % len(_MARKERS)], "ms": 4, "lw": 0, "elinewidth": 1.2}
            panel.errorbar(at, rows["r"], reach, label=set_name(pretraining), **look)
        panel.set_xticks(range(len(rois[name])), [roi_name(roi) for roi in rois[name]], rotation=60, ha="right")
        panel.tick_params(labelsize=8)
        panel.set(title=labels[name], xlim=(-0.6, len(rois[name]) - 0.4))
        panel.title.set_fontsize(9)
        if found["low"].min() < 0:
            panel.axhline(0, color="black", lw=0.7)
    grid[0].set_ylabel("r of accuracy and alignment", fontsize=9)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(colour), fontsize=8)
    return figure, found
