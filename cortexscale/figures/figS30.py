"""Figure S30: task accuracy and alignment on every benchmark."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.accuracy import draw_models, legend_of_models
from cortexscale.figures.finetuning_panels import ACCURACY, SCORE
from cortexscale.figures.panels import panels
from cortexscale.figures.style import in_order
from cortexscale.scaling.accuracy import accuracy_scores


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per benchmark, one point per supervised model of a suite; no fit."""
    scores = accuracy_scores(tables["pretraining"])
    scores = scores[scores["benchmark_name"] != "average"]
    shown = in_order(scores["benchmark_name"], labels)
    figure, grid = panels([labels.get(name, name) for name in shown], 4, (2.3, 2.0), sharex=True)
    for name, panel in zip(shown, grid, strict=True):
        draw_models(panel, scores[scores["benchmark_name"] == name])
        panel.locator_params(axis="y", nbins=5)
    figure.supxlabel(ACCURACY, fontsize=9)
    figure.supylabel(SCORE, fontsize=9)
    figure.legend(handles=legend_of_models(scores), loc="outside upper center", ncols=8, fontsize=8)
    return figure, scores
