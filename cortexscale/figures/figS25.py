"""Figure S25: number of parameters and average alignment of one model of every kind."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.figures.selected import model_looks
from cortexscale.figures.style import log_x
from cortexscale.scaling.selected import selected_scores

_MARKERS = {"fitted": "o", "adversarial": "s", "self-supervised": "D", "held out": "X"}


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One point per model, with its name in the legend: models of similar size and alignment would write over each other."""
    scores = selected_scores(tables["pretraining"])
    average = scores[scores["benchmark_name"] == "average"]
    looks = model_looks(average)
    figure, panel = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
    for _, model in average.iterrows():
        look = {"color": looks[model["name"]]["color"], "marker": _MARKERS[model["kind"]], "ms": 8, "lw": 0, "mec": "white"}
        panel.plot(model["backbone_n_params"], model["score"], label=model["name"], **look)
    panel.set(xlabel=MODEL_AXES["parameters"].label, ylabel="Average alignment S (noise-normalised r)")
    panel.margins(0.1)
    log_x(panel, average["backbone_n_params"])
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure, average
