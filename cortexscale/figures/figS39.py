"""Figure S39: task accuracy and alignment among accurate models."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.errors import InputError
from cortexscale.figures.accuracy import draw_models, draw_trends, legend_of_models
from cortexscale.figures.finetuning_panels import ACCURACY
from cortexscale.scaling.accuracy import HIGH_ACCURACY, accuracy_scores, correlations


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Average alignment of models from an accuracy of 0.4 on, with a line and Pearson's r per pretraining set.

    Raises:
        InputError: no model is as accurate.
    """
    scores = accuracy_scores(tables["pretraining"])
    scores = scores[(scores["benchmark_name"] == "average") & (scores["task_evaluation_acc"] >= HIGH_ACCURACY)]
    if scores.empty:
        found, remedy = f"no supervised model with an accuracy of {HIGH_ACCURACY} or more", "leave the figure out of `figures`"
        raise InputError("table pretraining", found, "accurate models, which the figure shows", remedy)
    found = correlations(scores, ["pretraining_dataset"])
    figure, panel = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    draw_models(panel, scores)
    draw_trends(panel, scores, found, size=8)
    panel.set(xlabel=ACCURACY, ylabel="Average alignment S (noise-normalised r)")
    figure.legend(handles=legend_of_models(scores), loc="outside right center", fontsize=8)
    return figure, scores.merge(found, on="pretraining_dataset", how="left")
