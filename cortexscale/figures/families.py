"""Alignment on every dataset against pretraining compute, samples or parameters, family by family."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.panels import SCORE, legend_above, panels
from cortexscale.figures.style import dataset_looks, log_x
from cortexscale.scaling.finetuning import summary


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset], axis: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per family, with one line per dataset.

    Args:
        axis: scaling axis of the table ``points``.

    Raises:
        NothingToShow: the axis has no models that are fitted.
    """
    points = tables["points"]
    points = points[points["fitted"] & (points["benchmark_name"] != AVERAGE)]
    if points.empty:
        remedy = "leave the figure out of `figures`"
        raise NothingToShow("figure families", f"no fitted models on the axis {axis}", "models of a suite", remedy)
    looks = dataset_looks(points["benchmark_name"], datasets)
    families = sorted(points["family"].unique())
    figure, grid = panels(families, 3, (2.8, 2.2), sharex=True, sharey=True)
    plotted = []
    for family, panel in zip(families, grid, strict=True):
        rows = points[points["family"] == family]
        for name, look in looks.items():
            means = summary(rows[rows["benchmark_name"] == name].sort_values("x"), ["family", "benchmark_name", "x"], "score")
            panel.plot(means["x"], means["mean"], color=look.colour, marker=look.marker, ms=3.5, lw=1.2, label=look.label)
            panel.fill_between(means["x"], means["low"], means["high"], color=look.colour, alpha=0.15, lw=0)
            plotted.append(means)
        log_x(panel, points["x"])
    figure.supxlabel(MODEL_AXES[axis].label, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0], 8)
    return figure, pd.concat(plotted, ignore_index=True)
