"""Figure S9: alignment with projected features against alignment with all activations."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.errors import InputError
from cortexscale.figures.style import BENCHMARKS, colours, in_order

_MOST_COLUMNS = 4
_KEYS = ["model_id", "benchmark_name", "roi"]


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per model; a point is a ROI of a dataset, mean over subjects, under one projection; the line is equality.

    Shown is the largest number of dimensions to which every model was projected. Layers that are not wider are left out, as
    they pass unchanged.

    Raises:
        InputError: the models have no number of dimensions in common, or no layer is wider than that.
    """
    numbers, dimensions = paired_scores(tables["projection"])
    models = numbers["model_id"].unique()
    handles = {name: labels.get(name, name) for name in in_order(numbers["benchmark_name"].unique(), labels)}
    colour = colours(handles.values(), BENCHMARKS)
    columns = min(len(models), _MOST_COLUMNS)
    rows = -(-len(models) // columns)
    size = (2.7 * columns + 1.1, 2.9 * rows + 0.3)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained")
    for empty in grid.flat[len(models) :]:
        empty.set_axis_off()
    scores = numbers[["full", "projected"]]
    limits = (scores.min(axis=None) - 0.05, scores.max(axis=None) + 0.05)
    for model, panel in zip(models, grid.flat, strict=False):
        points = numbers[numbers["model_id"] == model]
        for name, handle in handles.items():
            shown = points[points["benchmark_name"] == name]
            panel.scatter(shown["full"], shown["projected"], s=18, color=colour[handle], alpha=0.8, lw=0)
        panel.axline((points["full"].mean(),) * 2, slope=1, color="black", lw=0.7, ls=":")
        difference = points["projected"] - points["full"]
        r = np.corrcoef(points["full"], points["projected"])[0, 1] if len(points) > 1 else np.nan
        note = f"r = {r:.3f}\nmean difference {difference.mean():+.3f}"
        panel.text(0.04, 0.96, note, transform=panel.transAxes, va="top", fontsize=8)
        panel.set(xlim=limits, ylim=limits, aspect="equal")
        panel.locator_params(nbins=5)
        panel.set_title(model, fontsize=8)
    figure.supxlabel("Alignment S with all activations", fontsize=9)
    figure.supylabel(f"S with {dimensions:,} dimensions", fontsize=9)
    points = [plt.Line2D([], [], color=colour[handle], marker="o", ms=4, lw=0, label=handle) for handle in handles.values()]
    figure.legend(handles=points, loc="outside right upper", fontsize=8)
    return figure, numbers


def paired_scores(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Scores of ROIs whose layer was projected, ``projected`` beside ``full``, per seed; and the dimensions.

    Raises:
        InputError: as of :func:`draw`.
    """
    projected = table[table["dimensions"].notna()]
    common = set.intersection(*(set(rows["dimensions"]) for _, rows in projected.groupby("model_id")))
    dimensions = int(max(common, default=0))
    projected = projected[(projected["dimensions"] == dimensions) & (projected["layer_width"] > dimensions)]
    if projected.empty:
        found = f"no layer wider than {dimensions:,} dimensions" if common else "no number of dimensions that all models have"
        raise InputError("table projection", found, "projected layers of every model", "change projection_study.models")
    by_seed = projected.groupby([*_KEYS, "dimensions", "seed"], sort=False)["pearsonr_nc"].mean().rename("projected")
    full = table[table["dimensions"].isna()].groupby(_KEYS, sort=False)["pearsonr_nc"].mean().rename("full")
    return by_seed.reset_index().merge(full.reset_index(), on=_KEYS, validate="many_to_one"), dimensions
