"""Figure S24: alignment of one model of every kind with every benchmark, in numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.selected import benchmark_names
from cortexscale.scaling.selected import selected_scores


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Models down, benchmarks across."""
    scores = selected_scores(tables["pretraining"])
    names, models = benchmark_names(scores, labels), list(scores["name"].unique())
    table = scores.pivot(index="name", columns="benchmark_name", values="score").reindex(index=models, columns=list(names))
    figure, panel = plt.subplots(figsize=(0.62 * len(names) + 3, 0.3 * len(models) + 0.9), layout="constrained")
    image = panel.imshow(table, cmap="YlGnBu", aspect="auto")
    dark = image.norm.vmin + 0.6 * (image.norm.vmax - image.norm.vmin)
    for (row, column), value in np.ndenumerate(table.to_numpy(float)):
        if np.isfinite(value):
            panel.text(
                column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color="white" if value > dark else "black"
            )
    panel.set_xticks(range(len(names)), names.values(), rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    panel.set_yticks(range(len(models)), models, fontsize=8)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    bar = figure.colorbar(image, ax=panel, shrink=0.8, aspect=25, pad=0.02)
    bar.set_label("Alignment S", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure, scores
