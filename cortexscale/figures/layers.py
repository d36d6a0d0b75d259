"""Alignment along the depth of a reference model, in every ROI of one dataset."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.layer_profiles import layer_profiles
from cortexscale.alignment.super_rois import region_order
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.panels import columns_for, panels, roi_name

_LOOKS = {
    "pearsonr_nc": ("#1b263b", "-", "o"),
    "cv_score": ("#1b263b", "-", "o"),
    "rsa_c_test": ("#e8590c", "--", "^"),
    "rsa_ve_test": ("#c2255c", "-.", "v"),
    "cka_c_test": ("#4dabf7", "--", "s"),
    "cka_ve_test": ("#2f9e44", "-.", "D"),
}
"""Metric -> colour, line and marker."""


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per ROI of the only dataset in ``datasets``, with one line per metric.

    Raises:
        InputError: no layer was scored on the dataset.
    """
    ((name, dataset),) = datasets.items()
    profiles = layer_profiles(tables["layer_search"], name)
    rois = region_order(profiles["roi"].unique())
    size = (2.3, 1.9) if len(rois) <= 4 else (1.75, 1.5)
    figure, grid = panels([roi_name(roi) for roi in rois], columns_for(len(rois)), size, sharex=True, sharey=True)
    for roi, panel in zip(rois, grid, strict=True):
        for metric, rows in profiles[profiles["roi"] == roi].groupby("metric", sort=False):
            colour, line, marker = _LOOKS[metric]
            x, sem = rows["layer_position_normalized"], rows["sem"].fillna(0)
            panel.plot(x, rows["mean"], color=colour, ls=line, marker=marker, ms=2.5, lw=1.1, label=METRICS[metric].label)
            panel.fill_between(x, rows["mean"] - sem, rows["mean"] + sem, color=colour, alpha=0.15, lw=0)
    top = max(1, (profiles["mean"] + profiles["sem"].fillna(0)).max())
    grid[0].set(xlim=(0, 1.02), ylim=(min(0, profiles["mean"].min()), top), xticks=(0, 0.5, 1))
    figure.supxlabel("Layer position (0: input, 1: deepest candidate)", fontsize=9)
    figure.supylabel("Score", fontsize=9)
    lines, title = grid[0].get_lines(), f"{dataset.label}: {profiles['model_id'].iloc[0]}"
    figure.legend(handles=lines, loc="outside upper center", ncols=min(5, 2 * len(rois)), fontsize=8, title=title)
    return figure, profiles.assign(benchmark_name=name)
