"""Figure S23: alignment of one model of every kind, every benchmark on a scale of its own."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import SCORE
from cortexscale.figures.panels import panels
from cortexscale.figures.selected import benchmark_names, model_looks
from cortexscale.scaling.selected import selected_scores

_MARGIN = 0.15


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per benchmark, one bar per model. Axes are cut near the lowest bar."""
    scores = selected_scores(tables["pretraining"])
    names, looks = benchmark_names(scores, labels), model_looks(scores)
    figure, grid = panels(list(names.values()), 3, (2.9, 1.7))
    for name, panel in zip(names, grid, strict=True):
        heights = scores[scores["benchmark_name"] == name].set_index("name")["score"].reindex(looks)
        for place, (model, look) in enumerate(looks.items()):
            panel.bar(place, heights[model], 0.85, label=model, **look)
        room = _MARGIN * max(heights.max() - heights.min(), 0.01)
        panel.set(ylim=(heights.min() - 2 * room, heights.max() + room), xticks=[])
        panel.locator_params(axis="y", nbins=4)
    figure.supylabel(SCORE, fontsize=9)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure, scores
