"""Agreement of datasets on the layers that predict early, mid and high visual cortex."""

from collections.abc import Mapping
from itertools import product
from string import ascii_lowercase

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from cortexscale.alignment.layer_profiles import agreement_correlations, layer_agreement
from cortexscale.alignment.super_rois import SUPER_ROIS
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import FigureDataset, NothingToShow

_ASPECTS = ("rank", "score")
_COLUMNS = 6


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one column per pair of datasets and super-ROI, ranks above scores, with one point per layer of a reference model.

    Args:
        datasets: the datasets to compare: the first with each of the others.

    Raises:
        NothingToShow: no two datasets have a super-ROI in common.
    """
    one, *others = datasets
    layers = layer_agreement(tables["layer_search"], one, others)
    if layers.empty:
        found = f"layer scores on {', '.join(datasets)}"
        expected, remedy = "two datasets with ROIs of the same super-ROI", "add one of the datasets, or leave the figure out"
        raise NothingToShow("table layer_search", found, expected, remedy)
    found = agreement_correlations(layers)
    titles = found.set_index(["benchmark_name", "super_roi", "aspect"])
    groups = dict(tuple(layers.groupby(["benchmark_name", "super_roi"])))
    pairs = [pair for pair in product(others, SUPER_ROIS) if pair in groups]
    blocks = [pairs[start : start + _COLUMNS] for start in range(0, len(pairs), _COLUMNS)]
    width = len(blocks[0])
    size = (1.7 * width + 1, 2.1 * 2 * len(blocks) + 0.2)
    figure, grid = plt.subplots(2 * len(blocks), width, figsize=size, squeeze=False, layout="constrained")
    for empty in grid[-2:, len(blocks[-1]) :].flat:
        empty.set_axis_off()
    letters, lettered = iter(ascii_lowercase), set()
    for (number, block), (row, aspect) in product(enumerate(blocks), enumerate(_ASPECTS)):
        for (other, area), panel in zip(block, grid[2 * number + row], strict=False):
            dots = _draw(panel, groups[other, area], aspect)
            r, n = titles.loc[(other, area, aspect)]
            panel.set_title(f"{area}\nr = {r:.2f}, n = {n:.0f}", fontsize=8)
            if (other, aspect) not in lettered:
                lettered.add((other, aspect))
                corner = {"xycoords": "axes fraction", "textcoords": "offset points"}
                panel.annotate(next(letters), (0, 1), (-26, 14), fontweight="bold", fontsize=10, **corner)
                panel.set_ylabel(f"{datasets[other].label}: {aspect}", fontsize=8)
            panel.set_xlabel(f"{datasets[one].label}: {aspect}", fontsize=8)
    bar = figure.colorbar(dots, ax=grid, shrink=0.6, aspect=30, pad=0.02)
    bar.set_label("Layer position", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(f"Layers by {METRICS[layers['metric'].iloc[0]].label}; the best has rank 0", fontsize=9)
    return figure, pd.concat([layers, found], ignore_index=True)


def _draw(panel: Axes, layers: pd.DataFrame, aspect: str) -> PathCollection:
    """Draw one dot per layer. Dots are pixels, because the paper has 5,000 in a panel."""
    look = {"cmap": "viridis", "vmin": 0, "vmax": 1, "s": 7, "alpha": 0.7, "linewidths": 0, "rasterized": True}
    dots = panel.scatter(layers[aspect], layers[f"{aspect}_other"], c=layers["layer_position_normalized"], **look)
    if aspect == "rank":
        panel.axline((0, 0), slope=1, color="0.6", lw=0.8, ls=":", zorder=0)
    panel.tick_params(labelsize=7)
    panel.locator_params(nbins=4)
    return dots
