"""Task accuracy and alignment in pretraining and in fine-tuning, and the gain of LoRA beside that of full fine-tuning."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.accuracy import draw_models, legend_of_models
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.finetuning_paths import draw_moves, draw_paths
from cortexscale.figures.panels import ACCURACY, AVERAGE_SCORE
from cortexscale.figures.style import dataset_looks, panel_letter
from cortexscale.scaling.accuracy import accuracy_scores
from cortexscale.scaling.finetuning import (
    RELATIONS,
    finetuning_scores,
    fractions,
    lora_and_full,
    models_compared,
    relations,
)

_COLOURS = dict(zip(RELATIONS, ("#9d0208", "#e09f3e", "#577590"), strict=True))


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw pretraining in panel a, and one more panel for every experiment that the table ``finetuning`` has, if it is there.

    Raises:
        NothingToShow: no supervised model has a known accuracy, and there is no fine-tuning.
    """
    models = accuracy_scores(tables["pretraining"])
    models = models[models["benchmark_name"] == AVERAGE]
    parts = [(draw_pretraining, models)] if len(models) else []
    if "finetuning" in tables:
        runs = finetuning_scores(tables["finetuning"])
        kinds = set(runs["exp_type"])
        parts += [(draw_step, runs), (draw_growth, runs)] * ("data_pct" in kinds)
        parts += [(draw_lora, runs)] * ({"data_pct", "lora"} <= kinds)
    if not parts:
        expected = "supervised models with task_evaluation_acc, or fine-tuned models"
        raise NothingToShow("figure accuracy_overview", "neither", expected, "leave the figure out of `figures`")
    rows = 1 if len(parts) == 1 else 2
    columns = -(-len(parts) // rows)
    figure, grid = plt.subplots(rows, columns, figsize=(4.3 * columns, 3.4 * rows), squeeze=False, layout="constrained")
    plotted = []
    for letter, (draw_panel, table), panel in zip("abcd", parts, grid.flat, strict=False):
        plotted.append(draw_panel(panel, table, datasets).assign(panel=letter))
        panel_letter(panel, letter)
    for empty in grid.flat[len(parts) :]:
        empty.set_axis_off()
    return figure, pd.concat(plotted, ignore_index=True)


def draw_pretraining(panel: Axes, models: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw supervised models of suites. Return the numbers."""
    draw_models(panel, models)
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.legend(handles=legend_of_models(models), fontsize=7, loc="lower right")
    models = models.rename(columns={"task_evaluation_acc": "accuracy"})
    return models[["model_id", "pretraining_dataset", "backbone_arch_family", "accuracy", "score"]]


def draw_step(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw every architecture before (star) and after fine-tuning on all data, averaged over datasets. Return the numbers."""
    rows = models_compared(runs)
    numbers = draw_moves(panel, rows[rows["benchmark_name"] == AVERAGE])
    _finish(panel)
    return numbers


def draw_growth(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw one model as its data grow, with one line per dataset of the fine-tuning. Return the numbers."""
    rows = fractions(runs)
    numbers = draw_paths(panel, rows[rows["benchmark_name"] == AVERAGE], datasets)
    _finish(panel)
    return numbers


def _finish(panel: Axes) -> None:
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.locator_params(nbins=6)
    panel.legend(fontsize=7)


def draw_lora(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw one point per pair of datasets, of the fine-tuning and of the scores: means over seeds. Return the numbers."""
    pairs = lora_and_full(runs)
    pairs = pairs[pairs["benchmark_name"] != AVERAGE]
    modality = {name: dataset.modality for name, dataset in datasets.items() if dataset.modality}
    pairs = pairs.assign(relation=relations(pairs, modality))
    looks = dataset_looks(pairs["finetuning_dataset"], datasets)
    for (name, relation), points in pairs.groupby(["finetuning_dataset", "relation"]):
        look = {"color": _COLOURS[relation], "marker": looks[name].marker, "alpha": 0.85, "linewidths": 0}
        panel.scatter(points["full"], points["lora"], s=26, **look)
    panel.axline((0, 0), slope=1, color="black", lw=0.7, ls=":")
    panel.set(xlabel="ΔS of full fine-tuning", ylabel="ΔS of LoRA")
    panel.locator_params(nbins=6)
    lines = [
        plt.Line2D([], [], color=colour, lw=3, label=relation)
        for relation, colour in _COLOURS.items()
        if (pairs["relation"] == relation).any()
    ]
    lines += [plt.Line2D([], [], color="0.3", marker=look.marker, ms=4.5, lw=0, label=look.label) for look in looks.values()]
    panel.legend(handles=lines, fontsize=7)
    return pairs
