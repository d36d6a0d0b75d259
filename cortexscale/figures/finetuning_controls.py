"""Figure S47: controls of the fine-tuning: permuted stimuli (a), and the number of subjects (b)."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import AVERAGE_GAIN, AVERAGE_SCORE, draw_bars, draw_base, draw_lines, handles
from cortexscale.figures.panels import legend_over
from cortexscale.figures.style import panel_letter
from cortexscale.scaling.finetuning import AVERAGE, experiment, finetuning_scores, summary

CONDITIONS = {False: "responses to their stimuli", True: "permuted"}
CONDITION_COLOURS = {"responses to their stimuli": "#1f4e79", "permuted": "#c9ced6"}
SUBJECTS = "Subjects fine-tuned on"


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Means over seeds with 95 % bootstrap intervals, of the average over benchmarks; a control that the study does not have is
    left out.

    Raises:
        InputError: it has neither.
    """
    runs = finetuning_scores(tables["finetuning"])
    runs = runs[runs["benchmark_name"] == AVERAGE]
    known = {"ablation": draw_permuted, "subject": draw_subjects}
    shown = [draw_panel for kind, draw_panel in known.items() if (runs["exp_type"] == kind).any()] or [draw_permuted]
    figure, grid = plt.subplots(1, len(shown), figsize=(4 * len(shown), 3.4), squeeze=False, layout="constrained")
    plotted = []
    for letter, draw_panel, panel in zip("ab", shown, grid.flat, strict=False):
        plotted.append(draw_panel(panel, runs, labels).assign(panel=letter))
        panel_letter(panel, letter)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_permuted(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    rows = experiment(runs, "ablation")
    means = summary(rows, ["finetuning_dataset", "random_shuffle"])
    x = ("finetuning_dataset", handles(rows, labels))
    draw_bars(panel, means, x, ("random_shuffle", CONDITIONS), CONDITION_COLOURS)
    panel.set(ylabel=AVERAGE_GAIN)
    legend_over(panel)
    return means


def draw_subjects(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    rows = experiment(runs, "subject")
    draw_base(panel, rows["baseline"])
    numbers = draw_lines(panel, rows, labels, "n_subjects", "score")
    panel.set(xlabel=SUBJECTS, ylabel=AVERAGE_SCORE)
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.legend(fontsize=7)
    return numbers.assign(baseline=rows["baseline"].iloc[0])
