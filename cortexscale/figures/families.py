"""Figures S20 and S21: alignment on every benchmark against pretraining samples or parameters, family by family."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.figures.finetuning_panels import SCORE
from cortexscale.figures.panels import legend_above, panels
from cortexscale.figures.style import BENCHMARK_MARKERS, BENCHMARKS, colours, in_order, log_x
from cortexscale.scaling.finetuning import summary


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per family, one line per benchmark: means over models of the same X, with 95 % bootstrap intervals; no fit."""
    ((axis, points),) = tables.items()
    points = points[points["fitted"] & (points["benchmark_name"] != "average")]
    names = {name: labels.get(name, name) for name in in_order(points["benchmark_name"], labels)}
    colour = colours(names.values(), BENCHMARKS)
    families = sorted(points["family"].unique())
    figure, grid = panels(families, 3, (2.8, 2.2), sharex=True, sharey=True)
    plotted = []
    for family, panel in zip(families, grid, strict=True):
        rows = points[points["family"] == family]
        for name, handle in names.items():
            means = summary(rows[rows["benchmark_name"] == name].sort_values("x"), ["family", "benchmark_name", "x"], "score")
            look = {"color": colour[handle], "marker": BENCHMARK_MARKERS.get(handle, "h"), "ms": 3.5, "lw": 1.2, "label": handle}
            panel.plot(means["x"], means["mean"], **look)
            panel.fill_between(means["x"], means["low"], means["high"], color=colour[handle], alpha=0.15, lw=0)
            plotted.append(means)
        log_x(panel, points["x"])
    figure.supxlabel(MODEL_AXES[axis].label, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0], 8)
    return figure, pd.concat(plotted, ignore_index=True)
