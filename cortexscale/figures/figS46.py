"""Figure S46: task accuracy and alignment on every benchmark, as the data of the fine-tuning grows."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import ACCURACY, SCORE, handles
from cortexscale.figures.finetuning_paths import draw_paths
from cortexscale.figures.panels import legend_above, panels
from cortexscale.scaling.finetuning import finetuning_scores, fractions


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Paths of :func:`cortexscale.figures.finetuning_paths.draw_paths`, one panel per benchmark and one for their average.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = fractions(finetuning_scores(tables["finetuning"]))
    tested = handles(rows, labels, "benchmark_name")
    figure, grid = panels(list(tested.values()), 3, (2.8, 2.2), sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        numbers = draw_paths(panel, rows[rows["benchmark_name"] == name], labels)
        plotted.append(numbers.assign(benchmark_name=name))
        panel.locator_params(nbins=5)
    figure.supxlabel(ACCURACY, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)
