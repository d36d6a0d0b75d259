"""Alignment with projected features: against all activations, and by the number of dimensions."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import mean_scores
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import SCORE, draw_means, panels
from cortexscale.figures.style import Style, dataset_looks

_KEYS = ["model_id", "benchmark_name", "roi"]
_LINE: Style = {"lw": 1.5, "marker": "o", "ms": 3}


def draw_scores(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per model, with one point per ROI and projection."""
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
    """Draw one panel per model that was projected to several numbers of dimensions, with one line per dataset."""
    # Averages over subjects, then over ROIs.
    scores = mean_scores(tables["projection"], ["model_id", "benchmark_name", "dimensions", "seed"], composite_rois=True)
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
        panel.set(xscale="log", xlabel="Dimensions of the projection")
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
    """Return scores of ROIs whose layer was projected, and the number of dimensions that all models share.

    Returns:
        One row per ``model_id, benchmark_name, roi, dimensions, seed``: ``projected`` and ``full``, means over subjects.
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
