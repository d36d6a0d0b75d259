"""Figures that compare the alignment of one model of every kind: as bars, as a table, and against size."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import AVERAGE_SCORE, SCORE, SLANTED, colour_bar, draw_cells, panels
from cortexscale.figures.style import Style, dataset_looks, family_looks, log_x
from cortexscale.scaling.points import selected_scores

_HATCHES = {"fitted": "", "adversarial": "xxxx", "self-supervised": "....", "held out": "////"}
_MARKERS = {"fitted": "o", "adversarial": "s", "self-supervised": "D", "held out": "X"}
_MARGIN = 0.15


def draw_together(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw a group of bars per dataset, with one bar per model."""
    scores = _selected(tables)
    names, looks = list(dataset_looks(scores["benchmark_name"], datasets).items()), _bars(scores)
    figure, panel = plt.subplots(figsize=(9, 3.2), layout="constrained")
    width = 0.84 / len(looks)
    for number, (model, look) in enumerate(looks.items()):
        heights = scores[scores["name"] == model].set_index("benchmark_name")["score"].reindex([name for name, _ in names])
        at = np.arange(len(names)) + width * (number - (len(looks) - 1) / 2)
        panel.bar(at, heights, width, label=model, **look)
    panel.set(ylim=(0, max(1, scores["score"].max())), xlim=(-0.6, len(names) - 0.4))
    panel.set_ylabel(SCORE, fontsize=9)
    panel.set_xticks(range(len(names)), [look.label for _, look in names], fontsize=8)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure, scores


def draw_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per dataset, with one bar per model. Axes begin a little below the lowest score."""
    scores = _selected(tables)
    names, looks = dataset_looks(scores["benchmark_name"], datasets), _bars(scores)
    figure, grid = panels([look.label for look in names.values()], 3, (2.9, 1.7), y=SCORE)
    for name, panel in zip(names, grid, strict=True):
        heights = scores[scores["benchmark_name"] == name].set_index("name")["score"].reindex(list(looks))
        for place, (model, look) in enumerate(looks.items()):
            panel.bar(place, heights[model], 0.85, label=model, **look)
        room = _MARGIN * max(heights.max() - heights.min(), 0.01)
        panel.set(ylim=(heights.min() - 2 * room, heights.max() + room), xticks=[])
        panel.locator_params(axis="y", nbins=4)
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return figure, scores


def draw_table(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw a table of scores with one row per model and one column per dataset."""
    scores = _selected(tables)
    names, models = dataset_looks(scores["benchmark_name"], datasets), list(scores["name"].unique())
    table = scores.pivot(index="name", columns="benchmark_name", values="score").reindex(index=models, columns=list(names))
    figure, panel = plt.subplots(figsize=(0.62 * len(names) + 3, 0.3 * len(models) + 0.9), layout="constrained")
    low, high = np.nanmin(table), np.nanmax(table)
    draw_cells(panel, table, "{:.2f}".format, lambda score: score > low + 0.6 * (high - low), cmap="YlGnBu")
    panel.set_xticks(range(len(names)), [look.label for look in names.values()], fontsize=8, **SLANTED)
    panel.set_yticks(range(len(models)), models, fontsize=8)
    colour_bar(figure, panel.images[0], [panel], "Alignment S")
    return figure, scores


def draw_size(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw alignment against the number of parameters. Models are named in the legend, because similar points overlap."""
    scores = _selected(tables)
    average = scores[scores["benchmark_name"] == AVERAGE]
    looks = _bars(average)
    figure, panel = plt.subplots(figsize=(6.6, 3.2), layout="constrained")
    for model in average.to_dict("records"):
        look: Style = {"color": looks[model["name"]]["color"], "marker": _MARKERS[model["kind"]], "label": model["name"]}
        panel.plot(model["backbone_n_params"], model["score"], ms=8, lw=0, mec="white", **look)
    panel.set(xlabel=MODEL_AXES["parameters"].label, ylabel=AVERAGE_SCORE)
    panel.margins(0.1)
    log_x(panel, average["backbone_n_params"])
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure, average


def _selected(tables: Tables) -> pd.DataFrame:
    scores = selected_scores(tables["pretraining"])
    if scores.empty:
        raise NothingToShow("table pretraining", "no model with a score", "models that were scored in at least one ROI")
    return scores


def _bars(models: pd.DataFrame) -> dict[str, Style]:
    """Return name of a model -> style of its bars. The family decides the colour, and the kind decides the hatch."""
    models = models.drop_duplicates("name")
    looks = family_looks(models["family"])
    return {
        name: {"color": looks[family].colour, "hatch": _HATCHES[kind], "edgecolor": "white", "lw": 0}
        for name, family, kind in zip(models["name"], models["family"], models["kind"], strict=True)
    }
