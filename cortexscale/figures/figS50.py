"""Figure S50: what fine-tuning gains by the size of the model, on every benchmark."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import GAIN, draw_bars, handles, model_colours, model_names
from cortexscale.figures.panels import legend_over
from cortexscale.scaling.finetuning import finetuning_scores, model_sizes, summary


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Means over datasets of the fine-tuning and seeds, with their standard errors.

    Raises:
        InputError: the study has no experiment `explore`.
    """
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    means = summary(rows, ["benchmark_name", "arch"])
    hue = model_names(rows.sort_values("baseline_acc")["arch"])
    figure, panel = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    x = ("benchmark_name", handles(rows, labels, "benchmark_name"))
    draw_bars(panel, means, x, ("arch", hue), model_colours(hue.values()), error="sem")
    panel.set(ylabel=GAIN)
    legend_over(panel)
    return figure, means
