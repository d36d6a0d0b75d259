"""Task accuracy and alignment in pretraining and in fine-tuning, and the gain of LoRA beside that of full fine-tuning."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.accuracy import draw_models, legend_of_models
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.finetuning_growth import draw_moves, draw_paths
from cortexscale.figures.finetuning_panels import DrawPanel, draw_parts, with_relations
from cortexscale.figures.panels import ACCURACY, AVERAGE_SCORE
from cortexscale.figures.style import Style, dataset_looks
from cortexscale.scaling.accuracy import accuracy_scores
from cortexscale.scaling.finetuning import RELATIONS, finetuning_scores, fractions, lora_and_full, models_compared

_COLOURS = dict(zip(RELATIONS, ("#9d0208", "#e09f3e", "#577590"), strict=True))


def draw(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw pretraining in panel a, and one more panel for every experiment that the table ``finetuning`` has, if it is there."""
    models = accuracy_scores(tables["pretraining"])
    models = models[models["benchmark_name"] == AVERAGE]
    parts: list[tuple[DrawPanel, pd.DataFrame]] = [(draw_pretraining, models)] if len(models) else []
    if "finetuning" in tables:
        runs = finetuning_scores(tables["finetuning"])
        kinds = set(runs["exp_type"])
        if "data_pct" in kinds:
            parts += [(draw_step, runs), (draw_growth, runs)]
        if {"data_pct", "lora"} <= kinds:
            parts += [(draw_lora, runs)]
    if not parts:
        expected = "supervised models with task_evaluation_acc, or fine-tuned models"
        raise NothingToShow("figure accuracy_overview", "neither", expected)
    return draw_parts(parts, datasets, 4.3, rows=1 if len(parts) == 1 else 2)


def draw_pretraining(panel: Axes, models: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw supervised models of suites. Return the numbers."""
    draw_models(panel, models)
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.legend(handles=legend_of_models(models), fontsize=7, loc="lower right")
    models = models.rename(columns={"task_evaluation_acc": "accuracy"})
    return models[["model_id", "pretraining_dataset", "backbone_arch_family", "accuracy", "score"]]


def draw_step(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw every architecture before (star) and after fine-tuning on all data, averaged over datasets. Return the numbers."""
    rows = models_compared(runs)
    numbers = draw_moves(panel, rows[rows["benchmark_name"] == AVERAGE])
    _finish(panel)
    return numbers


def draw_growth(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw one model as its data grow, with one line per dataset of the fine-tuning. Return the numbers."""
    rows = fractions(runs)
    numbers = draw_paths(panel, rows[rows["benchmark_name"] == AVERAGE], datasets)
    _finish(panel)
    return numbers


def _finish(panel: Axes) -> None:
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.locator_params(nbins=6)
    panel.legend(fontsize=7)


def draw_lora(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw one point per pair of datasets, of the fine-tuning and of the scores: means over seeds. Return the numbers."""
    pairs = lora_and_full(runs)
    pairs = with_relations(pairs[pairs["benchmark_name"] != AVERAGE], datasets)
    looks = dataset_looks(pairs["finetuning_dataset"], datasets)
    for (name, relation), points in pairs.groupby(["finetuning_dataset", "relation"]):
        look: Style = {"color": _COLOURS[str(relation)], "marker": looks[str(name)].marker, "alpha": 0.85, "linewidths": 0}
        panel.scatter(points["full"], points["lora"], s=26, **look)
    panel.axline((0, 0), slope=1, color="black", lw=0.7, ls=":")
    panel.set(xlabel="ΔS of full fine-tuning", ylabel="ΔS of LoRA")
    panel.locator_params(nbins=6)
    shown = [relation for relation in RELATIONS if (pairs["relation"] == relation).any()]
    lines = [Line2D([], [], color=_COLOURS[relation], lw=3, label=relation) for relation in shown]
    lines += [Line2D([], [], color="0.3", marker=look.marker, ms=4.5, lw=0, label=look.label) for look in looks.values()]
    panel.legend(handles=lines, fontsize=7)
    return pairs
