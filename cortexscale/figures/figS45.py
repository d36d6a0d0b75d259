"""Figure S45: task accuracy against the stimuli that a model is fine-tuned on."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import ACCURACY, SAMPLES, draw_base, draw_lines
from cortexscale.figures.style import log_x
from cortexscale.scaling.finetuning import AVERAGE, finetuning_scores, fractions


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One line per dataset of the fine-tuning: mean over seeds with its 95 % bootstrap interval. Dotted: the base model.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = fractions(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] == AVERAGE]
    figure, panel = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
    draw_base(panel, rows["baseline_acc"])
    numbers = draw_lines(panel, rows, labels, "fitting_samples", "task_evaluation_acc")
    log_x(panel, rows["fitting_samples"])
    panel.set(xlabel=SAMPLES, ylabel=ACCURACY)
    panel.legend(fontsize=7)
    return figure, numbers.assign(baseline=rows["baseline_acc"].iloc[0])
