"""Task accuracy and alignment together: where fine-tuning moves a model."""

from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_panels import dataset_labels, model_colours, model_names
from cortexscale.figures.panels import ACCURACY, SCORE, legend_above, panels
from cortexscale.figures.style import dataset_looks
from cortexscale.scaling.finetuning import finetuning_scores, fractions, summary

_NUMBERS = ["accuracy", "accuracy_low", "accuracy_high", "score", "score_low", "score_high", "n"]


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset that models are scored on, and one of their average, with :func:`draw_paths`.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = fractions(finetuning_scores(tables["finetuning"]))
    tested = dataset_labels(rows, datasets, "benchmark_name")
    figure, grid = panels(list(tested.values()), 3, (2.8, 2.2), sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        numbers = draw_paths(panel, rows[rows["benchmark_name"] == name], datasets)
        plotted.append(numbers.assign(benchmark_name=name))
        panel.locator_params(nbins=5)
    figure.supxlabel(ACCURACY, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_paths(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
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
        numbers.append(_both(rows, ["finetuning_dataset", "fitting_samples"]))
        _draw(panel, numbers[-1], rows, look.colour, look.marker, look.label)
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
    names = model_names(runs["arch"])
    colour, marker = model_colours(names.values()), dict(zip(names, cycle("o^sDvP")))
    numbers = []
    for arch, name in names.items():
        rows = runs[runs["arch"] == arch]
        means = _both(rows, ["arch"])
        _draw(panel, means, rows, colour[name], marker[arch], name)
        panel.plot(rows["baseline_acc"].iloc[0], rows["baseline"].iloc[0], "*", color=colour[name], mec="black", ms=9, zorder=4)
        numbers.append(means.assign(baseline_acc=rows["baseline_acc"].iloc[0], baseline=rows["baseline"].iloc[0]))
    return pd.concat(numbers, ignore_index=True)


def _both(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return means and intervals of accuracy and alignment."""
    accuracy, score = (summary(rows, by, value) for value in ("task_evaluation_acc", "score"))
    accuracy = accuracy.rename(columns={"mean": "accuracy", "low": "accuracy_low", "high": "accuracy_high"})
    score = score.rename(columns={"mean": "score", "low": "score_low", "high": "score_high"})
    return pd.concat([accuracy, score[["score", "score_low", "score_high"]]], axis=1)[[*by, *_NUMBERS]]


def _draw(panel: Axes, means: pd.DataFrame, rows: pd.DataFrame, colour: str, marker: str, label: str) -> None:
    x, y = [[rows[base].iloc[0], *means[mean]] for base, mean in (("baseline_acc", "accuracy"), ("baseline", "score"))]
    panel.plot(x, y, color=colour, lw=1.2)
    panel.plot(x[1:], y[1:], color=colour, marker=marker, ms=4, lw=0, label=label)
    end = means.iloc[-1]
    reach = [[[end[v] - end[f"{v}_low"]], [end[f"{v}_high"] - end[v]]] for v in ("accuracy", "score")]
    panel.errorbar(end["accuracy"], end["score"], reach[1], reach[0], fmt="none", ecolor=colour, elinewidth=0.9)
