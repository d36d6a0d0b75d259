"""Alignment and task accuracy against the number of stimuli that a model is fine-tuned on."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_panels import SAMPLES, dataset_labels, draw_base, draw_lines
from cortexscale.figures.panels import ACCURACY, SCORE, legend_above, panels
from cortexscale.figures.style import log_x
from cortexscale.scaling.finetuning import finetuning_scores, fractions


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset that models are scored on, with one line per dataset of the fine-tuning.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = fractions(finetuning_scores(tables["finetuning"]))
    figure, numbers = draw_growth(rows, datasets, "fitting_samples", SAMPLES, (2.5, 2.1))
    for panel in figure.axes:
        if panel.axison:
            log_x(panel, rows["fitting_samples"])
    return figure, numbers


def draw_growth(
    rows: pd.DataFrame, datasets: Mapping[str, FigureDataset], x: str, label: str, size: tuple[float, float]
) -> tuple[Figure, pd.DataFrame]:
    """Draw alignment against the column ``x`` of some runs, with one panel of ``size`` inches per dataset but the average."""
    rows = rows[rows["benchmark_name"] != AVERAGE]
    tested = dataset_labels(rows, datasets, "benchmark_name")
    figure, grid = panels(list(tested.values()), 4, size, sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        of_benchmark = rows[rows["benchmark_name"] == name]
        draw_base(panel, of_benchmark["baseline"])
        numbers = draw_lines(panel, of_benchmark, datasets, x, "score", strong=name)
        plotted.append(numbers.assign(benchmark_name=name, baseline=of_benchmark["baseline"].iloc[0]))
        panel.locator_params(axis="y", nbins=5)
    figure.supxlabel(label, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_accuracy(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw task accuracy against the number of stimuli, with one line per dataset of the fine-tuning.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = fractions(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] == AVERAGE]
    figure, panel = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
    draw_base(panel, rows["baseline_acc"])
    numbers = draw_lines(panel, rows, datasets, "fitting_samples", "task_evaluation_acc")
    log_x(panel, rows["fitting_samples"])
    panel.set(xlabel=SAMPLES, ylabel=ACCURACY)
    panel.legend(fontsize=7)
    return figure, numbers.assign(baseline=rows["baseline_acc"].iloc[0])
