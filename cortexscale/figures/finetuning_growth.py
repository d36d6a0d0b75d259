"""Alignment and task accuracy as the data of a fine-tuning grow: against stimuli, against subjects, and against each other."""

from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.content import Datasets, Drawn, Tables
from cortexscale.figures.finetuning_panels import GROWTH, dataset_labels, draw_growth, model_hue
from cortexscale.figures.panels import ACCURACY, SCORE, legend_above, panels
from cortexscale.figures.style import dataset_looks
from cortexscale.scaling.finetuning import experiment, finetuning_scores, fractions, summary


def draw_samples(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw alignment against the number of stimuli, with one panel per dataset that models are scored on."""
    rows = fractions(finetuning_scores(tables["finetuning"]))
    return _draw_by_dataset(rows, datasets, "fitting_samples", (2.5, 2.1))


def draw_subjects(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw alignment against the number of subjects, with one panel per dataset that models are scored on."""
    rows = experiment(finetuning_scores(tables["finetuning"]), "subject")
    return _draw_by_dataset(rows, datasets, "n_subjects", (2.4, 1.9))


def _draw_by_dataset(rows: pd.DataFrame, datasets: Datasets, x: str, size: tuple[float, float]) -> Drawn:
    rows = rows[rows["benchmark_name"] != AVERAGE]
    tested = dataset_labels(rows, datasets, "benchmark_name")
    figure, grid = panels(list(tested.values()), 4, size, x=GROWTH[x], y=SCORE, sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        of_benchmark = rows[rows["benchmark_name"] == name]
        numbers = draw_growth(panel, of_benchmark, datasets, x, strong=name)
        plotted.append(numbers.assign(benchmark_name=name, baseline=of_benchmark["baseline"].iloc[0]))
        panel.locator_params(axis="y", nbins=5)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_accuracy(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw task accuracy against the number of stimuli, with one line per dataset of the fine-tuning."""
    rows = fractions(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] == AVERAGE]
    figure, panel = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
    numbers = draw_growth(panel, rows, datasets, "fitting_samples", "task_evaluation_acc")
    panel.set(xlabel=GROWTH["fitting_samples"], ylabel=ACCURACY)
    panel.legend(fontsize=7)
    return figure, numbers.assign(baseline=rows["baseline_acc"].iloc[0])


def draw_all_paths(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw :func:`draw_paths` in one panel per dataset that models are scored on, and one of their average."""
    rows = fractions(finetuning_scores(tables["finetuning"]))
    tested = dataset_labels(rows, datasets, "benchmark_name")
    figure, grid = panels(list(tested.values()), 3, (2.8, 2.2), x=ACCURACY, y=SCORE, sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        numbers = draw_paths(panel, rows[rows["benchmark_name"] == name], datasets)
        plotted.append(numbers.assign(benchmark_name=name))
        panel.locator_params(nbins=5)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_paths(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw a line from the base model (star) over growing fractions to all data, for every dataset of the fine-tuning.

    Points are means over seeds, with 95 % bootstrap intervals of both values where all data are used.

    Args:
        runs: runs of one model, scored on one dataset.

    Returns:
        The numbers.
    """
    numbers = []
    for name, look in dataset_looks(runs["finetuning_dataset"], datasets).items():
        rows = runs[runs["finetuning_dataset"] == name].sort_values("fitting_samples")
        numbers.append(_draw_path(panel, rows, ["finetuning_dataset", "fitting_samples"], look.colour, look.marker, look.label))
    panel.plot(runs["baseline_acc"].iloc[0], runs["baseline"].iloc[0], "*", color="black", ms=9, zorder=4, label="base model")
    base = {"fitting_samples": [0], "accuracy": [runs["baseline_acc"].iloc[0]], "score": [runs["baseline"].iloc[0]]}
    return pd.concat([pd.DataFrame(base), *numbers], ignore_index=True)


def draw_moves(panel: Axes, runs: pd.DataFrame) -> pd.DataFrame:
    """Draw a line from every base model (star) to the mean of its fine-tuned models, over datasets and seeds.

    Args:
        runs: runs scored on one dataset.

    Returns:
        The numbers, with 95 % bootstrap intervals.
    """
    numbers = []
    for (arch, (name, colour)), marker in zip(model_hue(runs["arch"]).looks.items(), cycle("o^sDvP")):
        rows = runs[runs["arch"] == arch]
        base = {"baseline_acc": rows["baseline_acc"].iloc[0], "baseline": rows["baseline"].iloc[0]}
        numbers.append(_draw_path(panel, rows, ["arch"], colour, marker, name).assign(**base))
        panel.plot(*base.values(), "*", color=colour, mec="black", ms=9, zorder=4)
    return pd.concat(numbers, ignore_index=True)


def _draw_path(panel: Axes, rows: pd.DataFrame, by: list[str], colour: str, marker: str, label: str) -> pd.DataFrame:
    """Draw a line from the base model to the means of all groups, and return means and intervals of both values."""
    found = {"accuracy": summary(rows, by, "task_evaluation_acc"), "score": summary(rows, by, "score")}
    means = found["score"][by]
    for value, of_value in found.items():
        means = means.assign(**{value: of_value["mean"], f"{value}_low": of_value["low"], f"{value}_high": of_value["high"]})
    x, y = [rows["baseline_acc"].iloc[0], *means["accuracy"]], [rows["baseline"].iloc[0], *means["score"]]
    panel.plot(x, y, color=colour, lw=1.2)
    panel.plot(x[1:], y[1:], color=colour, marker=marker, ms=4, lw=0, label=label)
    end = means.tail(1)
    x_error, y_error = ([end[value] - end[f"{value}_low"], end[f"{value}_high"] - end[value]] for value in found)
    panel.errorbar(end["accuracy"], end["score"], y_error, x_error, fmt="none", ecolor=colour, elinewidth=0.9)
    return means.assign(n=found["score"]["n"])
