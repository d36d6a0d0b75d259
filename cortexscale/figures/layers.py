"""Alignment of the layers of a reference model: along its depth on one dataset, and on one dataset against others."""

from itertools import product
from string import ascii_lowercase

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from cortexscale.alignment.layer_profiles import agreement_correlations, layer_agreement, layer_profiles
from cortexscale.alignment.super_rois import SUPER_ROIS, region_order
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import colour_bar, draw_means, roi_panels
from cortexscale.figures.style import Style

_STYLES = {
    "pearsonr_nc": ("#1b263b", "-", "o"),
    "cv_score": ("#1b263b", "-", "o"),
    "rsa_c_test": ("#e8590c", "--", "^"),
    "rsa_ve_test": ("#c2255c", "-.", "v"),
    "cka_c_test": ("#4dabf7", "--", "s"),
    "cka_ve_test": ("#2f9e44", "-.", "D"),
}
"""Metric -> colour, line and marker."""
_ASPECTS = ("rank", "score")
_COLUMNS = 6


def draw_profiles(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per ROI of the only dataset in ``datasets``, with one line per metric."""
    ((name, dataset),) = datasets.items()
    profiles = layer_profiles(tables["layer_search"], name)
    sem = profiles["sem"].fillna(0)
    bands = profiles.assign(low=profiles["mean"] - sem, high=profiles["mean"] + sem)
    rois = region_order(profiles["roi"].unique())
    depth = "Layer position (0: input, 1: deepest candidate)"
    figure, grid = roi_panels(rois, (2.3, 1.9), (1.75, 1.5), x=depth, y="Score", sharey=True)
    for roi, panel in zip(rois, grid, strict=True):
        for metric, rows in bands[bands["roi"] == roi].groupby("metric", sort=False):
            colour, line, marker = _STYLES[str(metric)]
            look: Style = {"color": colour, "ls": line, "marker": marker, "ms": 2.5, "lw": 1.1}
            draw_means(panel, rows, "layer_position_normalized", label=METRICS[str(metric)], **look)
    grid[0].set(xlim=(0, 1.02), ylim=(min(0, bands["mean"].min()), max(1, bands["high"].max())), xticks=(0, 0.5, 1))
    lines, title = grid[0].get_lines(), f"{dataset.label}: {profiles['model_id'].iloc[0]}"
    figure.legend(handles=lines, loc="outside upper center", ncols=min(5, 2 * len(rois)), fontsize=8, title=title)
    return figure, profiles.assign(benchmark_name=name)


def draw_agreement(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one point per layer, with one column per super-ROI and pair of the first dataset with another, ranks above scores."""
    one, *others = datasets
    layers = layer_agreement(tables["layer_search"], one, others)
    if layers.empty:
        expected, remedy = "two datasets with ROIs of the same super-ROI", "add one of the datasets, or leave the figure out"
        raise NothingToShow("table layer_search", f"layer scores on {', '.join(datasets)}", expected, remedy)
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
            _draw_layers(panel, groups[other, area], aspect)
            r, n = titles.xs((other, area, aspect))
            panel.set_title(f"{area}\nr = {r:.2f}, n = {n:.0f}", fontsize=8)
            if (other, aspect) not in lettered:
                lettered.add((other, aspect))
                corner: Style = {"xycoords": "axes fraction", "textcoords": "offset points"}
                panel.annotate(next(letters), (0, 1), (-26, 14), fontweight="bold", fontsize=10, **corner)
                panel.set_ylabel(f"{datasets[other].label}: {aspect}", fontsize=8)
            panel.set_xlabel(f"{datasets[one].label}: {aspect}", fontsize=8)
    colour_bar(figure, grid[0, 0].collections[0], grid.flat, "Layer position", shrink=0.6, aspect=30)
    figure.suptitle(f"Layers by {METRICS[layers['metric'].iloc[0]]}; the best has rank 0", fontsize=9)
    return figure, pd.concat([layers, found], ignore_index=True)


def _draw_layers(panel: Axes, layers: pd.DataFrame, aspect: str) -> None:
    """Draw one dot per layer. Dots are pixels, because the paper has 5,000 in a panel."""
    look: Style = {"cmap": "viridis", "vmin": 0, "vmax": 1, "s": 7, "alpha": 0.7, "linewidths": 0, "rasterized": True}
    panel.scatter(layers[aspect], layers[f"{aspect}_other"], c=layers["layer_position_normalized"], **look)
    if aspect == "rank":
        panel.axline((0, 0), slope=1, color="0.6", lw=0.8, ls=":", zorder=0)
    panel.tick_params(labelsize=7)
    panel.locator_params(nbins=4)
