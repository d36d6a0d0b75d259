"""Figure S44: alignment on every benchmark against the stimuli that a model is fine-tuned on."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import SAMPLES, SCORE, draw_base, draw_lines, handles
from cortexscale.figures.panels import legend_above, panels
from cortexscale.figures.style import log_x
from cortexscale.scaling.finetuning import AVERAGE, finetuning_scores, fractions


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per benchmark, one line per dataset of the fine-tuning, wide where it is the benchmark itself: means over seeds
    with 95 % bootstrap intervals. Dotted: the base model.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = fractions(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] != AVERAGE]
    tested = handles(rows, labels, "benchmark_name")
    figure, grid = panels(list(tested.values()), 4, (2.5, 2.1), sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        of_benchmark = rows[rows["benchmark_name"] == name]
        draw_base(panel, of_benchmark["baseline"])
        numbers = draw_lines(panel, of_benchmark, labels, "fitting_samples", "score", strong=name)
        plotted.append(numbers.assign(benchmark_name=name, baseline=of_benchmark["baseline"].iloc[0]))
        log_x(panel, rows["fitting_samples"])
        panel.locator_params(axis="y", nbins=5)
    figure.supxlabel(SAMPLES, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)
