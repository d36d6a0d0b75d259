"""Figure S22: alignment of one model of every kind, on the whole scale from 0 to 1."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import SCORE
from cortexscale.figures.selected import benchmark_names, model_looks
from cortexscale.scaling.selected import selected_scores


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """A group of bars per benchmark, one bar per model."""
    scores = selected_scores(tables["pretraining"])
    names, looks = benchmark_names(scores, labels), model_looks(scores)
    figure, panel = plt.subplots(figsize=(9, 3.2), layout="constrained")
    width = 0.84 / len(looks)
    for number, (name, look) in enumerate(looks.items()):
        heights = scores[scores["name"] == name].set_index("benchmark_name")["score"].reindex(names)
        panel.bar(
            [place + width * (number - (len(looks) - 1) / 2) for place in range(len(names))], heights, width, label=name, **look
        )
    panel.set(ylim=(0, max(1, scores["score"].max())), xlim=(-0.6, len(names) - 0.4))
    panel.set_ylabel(SCORE, fontsize=9)
    panel.set_xticks(range(len(names)), names.values(), fontsize=8)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure, scores
