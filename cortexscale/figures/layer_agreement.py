"""Figure S11: whether datasets agree on which layers predict early, mid and high visual cortex."""

from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from cortexscale.alignment.layer_profiles import agreement_correlations, layer_agreement
from cortexscale.alignment.super_rois import SUPER_ROIS
from cortexscale.catalogue.metrics import METRICS
from cortexscale.errors import InputError

_ASPECTS = ("rank", "score")


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One point per layer of a reference model: its rank within the model as two datasets see it, above, and its score, below.

    Titles have Pearson's r over all layers of all models.

    Args:
        labels: the datasets to compare, the first with each of the others, and what they are called.

    Raises:
        InputError: no two datasets have a super-ROI in common.
    """
    one, *others = labels
    layers = layer_agreement(tables["layer_search"], one, others)
    if layers.empty:
        found, remedy = f"layer scores on {', '.join(labels)}", "add one of the datasets, or leave the figure out of `figures`"
        raise InputError("table layer_search", found, "two datasets with ROIs of the same super-ROI", remedy)
    found = agreement_correlations(layers)
    titles = found.set_index(["benchmark_name", "super_roi", "aspect"])
    groups = dict(tuple(layers.groupby(["benchmark_name", "super_roi"])))
    columns = [pair for pair in product(others, SUPER_ROIS) if pair in groups]
    size = (1.7 * len(columns) + 1, 4.4)
    figure, grid = plt.subplots(2, len(columns), figsize=size, squeeze=False, layout="constrained")
    letters, lettered = iter("abcd"), set()
    for aspect, panels in zip(_ASPECTS, grid, strict=True):
        for (other, area), panel in zip(columns, panels, strict=True):
            dots = _draw(panel, groups[other, area], aspect)
            r, n = titles.loc[(other, area, aspect)]
            panel.set_title(f"{area}\nr = {r:.2f}, n = {n:.0f}", fontsize=8)
            if (other, aspect) not in lettered:
                lettered.add((other, aspect))
                corner = {"xycoords": "axes fraction", "textcoords": "offset points"}
                panel.annotate(next(letters), (0, 1), (-26, 14), fontweight="bold", fontsize=10, **corner)
                panel.set_ylabel(f"{labels[other]}: {aspect}", fontsize=8)
            panel.set_xlabel(f"{labels[one]}: {aspect}", fontsize=8)
    bar = figure.colorbar(dots, ax=grid, shrink=0.6, aspect=30, pad=0.02)
    bar.set_label("Layer position", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(f"Layers by {METRICS[layers['metric'].iloc[0]].label}; the best has rank 0", fontsize=9)
    return figure, pd.concat([layers, found], ignore_index=True)


def _draw(panel: Axes, layers: pd.DataFrame, aspect: str) -> PathCollection:
    """One dot per layer. Dots are pixels: the paper has 5,000 in a panel."""
    look = {"cmap": "viridis", "vmin": 0, "vmax": 1, "s": 7, "alpha": 0.7, "linewidths": 0, "rasterized": True}
    dots = panel.scatter(layers[aspect], layers[f"{aspect}_other"], c=layers["layer_position_normalized"], **look)
    if aspect == "rank":
        panel.axline((0, 0), slope=1, color="0.6", lw=0.8, ls=":", zorder=0)
    panel.tick_params(labelsize=7)
    panel.locator_params(nbins=4)
    return dots
