"""Controls of the fine-tuning: permuted stimuli, and the number of subjects."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_gains import draw_experiments
from cortexscale.figures.finetuning_panels import (
    AVERAGE_GAIN,
    dataset_labels,
    draw_bars,
    draw_base,
    draw_gains_by_dataset,
    draw_lines,
)
from cortexscale.figures.finetuning_samples import draw_growth
from cortexscale.figures.panels import AVERAGE_SCORE, legend_over
from cortexscale.scaling.finetuning import experiment, finetuning_scores, summary

_CONDITIONS = {False: "responses to their stimuli", True: "permuted"}
_COLOURS = {"responses to their stimuli": "#1f4e79", "permuted": "#c9ced6"}
_SUBJECTS = "Subjects fine-tuned on"


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw the average over datasets in one panel per control that the study has.

    Raises:
        InputError: the study has neither control.
    """
    return draw_experiments(tables["finetuning"], datasets, {"ablation": draw_permuted, "subject": draw_subjects}, 4)


def draw_permuted(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw bars with and without permuted stimuli, by the dataset of the fine-tuning. Return the numbers."""
    rows = experiment(runs, "ablation")
    means = summary(rows, ["finetuning_dataset", "random_shuffle"])
    x = ("finetuning_dataset", dataset_labels(rows, datasets))
    draw_bars(panel, means, x, ("random_shuffle", _CONDITIONS), _COLOURS)
    panel.set(ylabel=AVERAGE_GAIN)
    legend_over(panel)
    return means


def draw_subjects(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw alignment against the number of subjects, with one line per dataset of the fine-tuning. Return the numbers."""
    rows = experiment(runs, "subject")
    draw_base(panel, rows["baseline"])
    numbers = draw_lines(panel, rows, datasets, "n_subjects", "score")
    panel.set(xlabel=_SUBJECTS, ylabel=AVERAGE_SCORE)
    panel.locator_params(axis="x", integer=True)
    panel.legend(fontsize=7)
    return numbers.assign(baseline=rows["baseline"].iloc[0])


def draw_permuted_by_dataset(
    tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]
) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset of the fine-tuning, with bars for every dataset that models are scored on.

    Raises:
        InputError: the study has no permuted runs.
    """
    rows = experiment(finetuning_scores(tables["finetuning"]), "ablation")
    return draw_gains_by_dataset(rows, datasets, ("random_shuffle", _CONDITIONS), _COLOURS)


def draw_subjects_by_dataset(
    tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]
) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset that models are scored on, with one line per dataset of the fine-tuning.

    Raises:
        InputError: the study has no experiment ``subject``.
    """
    rows = experiment(finetuning_scores(tables["finetuning"]), "subject")
    figure, numbers = draw_growth(rows, datasets, "n_subjects", _SUBJECTS, (2.4, 1.9))
    for panel in figure.axes:
        if panel.axison:
            panel.locator_params(axis="x", integer=True)
    return figure, numbers
