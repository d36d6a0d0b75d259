"""Figures of the alignment of layers: along the depth of a model, between datasets, and with projected features."""

from itertools import product
from string import ascii_lowercase

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import mean_scores
from cortexscale.alignment.layer_profiles import agreement_correlations, layer_agreement, layer_profiles
from cortexscale.alignment.super_rois import SUPER_ROIS, region_order
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import SCORE, colour_bar, draw_means, panels, roi_panels
from cortexscale.figures.style import Style, dataset_looks, log_scale

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
_KEYS = ["model_id", "benchmark_name", "roi"]
_LINE: Style = {"lw": 1.5, "marker": "o", "ms": 3}


def draw_profiles(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per ROI of the single dataset in ``datasets``, with one line per metric."""
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
    """Draw a grid of panels with one point per layer. Each column compares the first dataset with another one in a super-ROI.

    The upper panel of a column compares the ranks of layers, and the lower panel compares their scores.
    """
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
    """Draw one dot per layer. Dots are stored as pixels, because panels of the paper have 5,000 dots."""
    look: Style = {"cmap": "viridis", "vmin": 0, "vmax": 1, "s": 7, "alpha": 0.7, "linewidths": 0, "rasterized": True}
    panel.scatter(layers[aspect], layers[f"{aspect}_other"], c=layers["layer_position_normalized"], **look)
    if aspect == "rank":
        panel.axline((0, 0), slope=1, color="0.6", lw=0.8, ls=":", zorder=0)
    panel.tick_params(labelsize=7)
    panel.locator_params(nbins=4)


# ------------------------------------------------------------------------------------------ projected features


def draw_projected_scores(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per model, with one point per ROI and seed of the projection."""
    numbers, dimensions = paired_scores(tables["projection"])
    models = numbers["model_id"].unique().tolist()
    looks = dataset_looks(numbers["benchmark_name"], datasets)
    x, y = "Alignment S with all activations", f"S with {dimensions:,} dimensions"
    figure, grid = panels(models, 4, (2.7, 2.9), x=x, y=y, sharex=True, sharey=True)
    scores = numbers[["full", "projected"]].to_numpy()
    limits = (scores.min() - 0.05, scores.max() + 0.05)
    for model, panel in zip(models, grid, strict=True):
        points = numbers[numbers["model_id"] == model]
        for name, look in looks.items():
            rows = points[points["benchmark_name"] == name]
            panel.scatter(rows["full"], rows["projected"], s=18, color=look.colour, alpha=0.8, lw=0)
        panel.axline((points["full"].mean(),) * 2, slope=1, color="black", lw=0.7, ls=":")
        difference = points["projected"] - points["full"]
        r = np.corrcoef(points["full"], points["projected"])[0, 1] if len(points) > 1 else np.nan
        note = f"r = {r:.3f}\nmean difference {difference.mean():+.3f}"
        panel.text(0.04, 0.96, note, transform=panel.transAxes, va="top", fontsize=8)
        panel.set(xlim=limits, ylim=limits, aspect="equal")
        panel.locator_params(nbins=5)
        panel.title.set_fontsize(8)
    dots = [Line2D([], [], color=look.colour, marker="o", ms=4, lw=0, label=look.label) for look in looks.values()]
    figure.legend(handles=dots, loc="outside right upper", fontsize=8)
    return figure, numbers


def draw_dimensions(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per model whose features were projected to several numbers of dimensions, with one line per dataset."""
    # Scores are averaged over subjects, then over ROIs.
    scores = mean_scores(tables["projection"], ["model_id", "benchmark_name", "dimensions", "seed"])
    swept = scores.groupby("model_id", sort=False)["dimensions"].nunique()
    models = swept.index[swept > 1].tolist()
    if not models:
        expected = "several numbers of dimensions for a model"
        raise NothingToShow("table projection", "one per model", expected, "add some to projection_study.models")
    numbers = scores[scores["model_id"].isin(models)].reset_index(drop=True)
    looks = dataset_looks(numbers["benchmark_name"], datasets)
    figure, grid = panels(models, len(models), (3.6, 2.9), sharey=True)
    for model, panel in zip(models, grid, strict=True):
        scores = numbers[numbers["model_id"] == model]
        for name, look in looks.items():
            rows = scores[scores["benchmark_name"] == name]
            full = rows["dimensions"].isna()
            means = rows[~full].groupby("dimensions", as_index=False)["score"].agg(mean="mean", low="min", high="max")
            draw_means(panel, means, "dimensions", color=look.colour, **_LINE)
            panel.axhline(rows.loc[full, "score"].iloc[0], color=look.colour, lw=0.9, ls="--")
        log_scale(panel, "x")
        panel.set_xlabel("Dimensions of the projection")
        ticks = sorted(scores["dimensions"].dropna().unique())
        panel.set_xticks(ticks, [f"{dimensions:,.0f}" for dimensions in ticks], fontsize=7)
        panel.minorticks_off()
        panel.title.set_fontsize(8)
    grid[0].set_ylabel(SCORE)
    lines = [Line2D([], [], color=look.colour, label=look.label, **_LINE) for look in looks.values()]
    lines.append(Line2D([], [], color="black", lw=0.9, ls="--", label="all activations"))
    figure.legend(handles=lines, loc="outside right upper", fontsize=8)
    return figure, numbers


def paired_scores(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the scores of ROIs whose layer was projected, averaged over subjects, and the number of dimensions.

    The number of dimensions is the largest one that all models share. The columns ``projected`` and ``full`` have the scores with
    the projection and with all activations.
    """
    projected = table[table["dimensions"].notna()]
    common = set.intersection(*(set(rows["dimensions"]) for _, rows in projected.groupby("model_id")))
    dimensions = int(max(common, default=0))
    projected = projected[(projected["dimensions"] == dimensions) & (projected["layer_width"] > dimensions)]
    if projected.empty:
        found = f"no layer wider than {dimensions:,} dimensions" if common else "no number of dimensions that all models have"
        raise NothingToShow("table projection", found, "projected layers of every model", "change projection_study.models")
    by_seed = projected.groupby([*_KEYS, "dimensions", "seed"], sort=False)["pearsonr_nc"].mean().rename("projected")
    full = table[table["dimensions"].isna()].groupby(_KEYS, sort=False)["pearsonr_nc"].mean().rename("full")
    return by_seed.reset_index().merge(full.reset_index(), on=_KEYS, validate="many_to_one"), dimensions
