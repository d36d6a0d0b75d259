"""Figure S49: alignment on every benchmark against the number of subjects that a model is fine-tuned on."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_controls import SUBJECTS
from cortexscale.figures.finetuning_panels import SCORE, draw_base, draw_lines, handles
from cortexscale.figures.panels import legend_above, panels
from cortexscale.scaling.finetuning import AVERAGE, experiment, finetuning_scores


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per benchmark: means over seeds with 95 % bootstrap intervals. Dotted: the base model.

    Raises:
        InputError: the study has no such runs.
    """
    rows = experiment(finetuning_scores(tables["finetuning"]), "subject")
    rows = rows[rows["benchmark_name"] != AVERAGE]
    tested = handles(rows, labels, "benchmark_name")
    figure, grid = panels(list(tested.values()), 4, (2.4, 1.9), sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        of_benchmark = rows[rows["benchmark_name"] == name]
        draw_base(panel, of_benchmark["baseline"])
        numbers = draw_lines(panel, of_benchmark, labels, "n_subjects", "score", strong=name)
        plotted.append(numbers.assign(benchmark_name=name, baseline=of_benchmark["baseline"].iloc[0]))
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.locator_params(axis="y", nbins=5)
    figure.supxlabel(SUBJECTS, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0])
    return figure, pd.concat(plotted, ignore_index=True)
