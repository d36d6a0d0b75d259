"""Figures S31 to S38: task accuracy and alignment in every ROI of one dataset."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.accuracy import draw_models, draw_trends, legend_of_models
from cortexscale.figures.finetuning_panels import ACCURACY, SCORE
from cortexscale.figures.panels import panels
from cortexscale.figures.roi_panels import columns_for, roi_name
from cortexscale.scaling.accuracy import correlations, roi_scores

_TEST = ["pretraining_dataset", "benchmark_name", "roi"]


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per ROI: supervised models of the suite, and a line and Pearson's r per pretraining set.

    p allows for false discoveries (Benjamini and Hochberg) among all ROIs and pretraining sets of the study.

    Args:
        labels: the one dataset to show, and what it is called.
    """
    (name,) = labels
    scores = roi_scores(tables["pretraining"])
    found = correlations(scores, _TEST)
    scores, found = (table[table["benchmark_name"] == name] for table in (scores, found))
    rois = region_order(scores["roi"].unique())
    size = (2.6, 2.7) if len(rois) <= 4 else (1.75, 1.55)
    figure, grid = panels([roi_name(roi) for roi in rois], columns_for(len(rois)), size, sharex=True)
    for roi, panel in zip(rois, grid, strict=True):
        models = scores[scores["roi"] == roi]
        draw_models(panel, models)
        draw_trends(panel, models, found[found["roi"] == roi])
        # Room for the text below the points.
        low, high = models["score"].min(), models["score"].max()
        panel.set_ylim(low - 0.35 * (high - low), high + 0.05 * (high - low))
        panel.locator_params(nbins=4)
    figure.supxlabel(ACCURACY, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend, columns = legend_of_models(scores), min(8, 2 * len(rois))
    figure.legend(handles=legend, loc="outside upper center", ncols=columns, fontsize=8, title=labels[name])
    return figure, scores.merge(found, on=_TEST, how="left")
