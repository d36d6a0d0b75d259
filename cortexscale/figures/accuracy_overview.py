"""Figure 7: task accuracy and alignment, in pretraining (a) and fine-tuning (b, c), and what LoRA keeps of the gain (d)."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.errors import InputError
from cortexscale.figures.accuracy import draw_models, legend_of_models
from cortexscale.figures.finetuning_panels import ACCURACY, AVERAGE_SCORE, handles, markers, modalities
from cortexscale.figures.finetuning_paths import draw_moves, draw_paths
from cortexscale.figures.style import panel_letter
from cortexscale.scaling.accuracy import accuracy_scores
from cortexscale.scaling.finetuning import (
    AVERAGE,
    RELATIONS,
    finetuning_scores,
    fractions,
    lora_and_full,
    models_compared,
    relations,
)

_COLOURS = dict(zip(RELATIONS, ("#9d0208", "#e09f3e", "#577590"), strict=True))


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Panel a without the table ``finetuning``; otherwise those panels too whose experiments the study has.

    Raises:
        InputError: no supervised model has a known accuracy, and there is no fine-tuning.
    """
    models = accuracy_scores(tables["pretraining"])
    models = models[models["benchmark_name"] == AVERAGE]
    shown = [(draw_pretraining, models)] if len(models) else []
    if "finetuning" in tables:
        runs = finetuning_scores(tables["finetuning"])
        kinds = set(runs["exp_type"])
        shown += [(draw_step, runs), (draw_growth, runs)] * ("data_pct" in kinds)
        shown += [(draw_lora, runs)] * ({"data_pct", "lora"} <= kinds)
    if not shown:
        expected = "supervised models with task_evaluation_acc, or fine-tuned models"
        raise InputError("figure fig7", "neither", expected, "leave it out of `figures`")
    rows = 1 if len(shown) == 1 else 2
    columns = -(-len(shown) // rows)
    figure, grid = plt.subplots(rows, columns, figsize=(4.3 * columns, 3.4 * rows), squeeze=False, layout="constrained")
    plotted = []
    for letter, (draw_panel, table), panel in zip("abcd", shown, grid.flat, strict=False):
        plotted.append(draw_panel(panel, table, labels).assign(panel=letter))
        panel_letter(panel, letter)
    for empty in grid.flat[len(shown) :]:
        empty.set_axis_off()
    return figure, pd.concat(plotted, ignore_index=True)


def draw_pretraining(panel: Axes, models: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Supervised models of the suite."""
    draw_models(panel, models)
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.legend(handles=legend_of_models(models), fontsize=7, loc="lower right")
    models = models.rename(columns={"task_evaluation_acc": "accuracy"})
    return models[["model_id", "pretraining_dataset", "backbone_arch_family", "accuracy", "score"]]


def draw_step(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Every architecture, before (star) and after fine-tuning on all data: means over datasets and seeds."""
    rows = models_compared(runs)
    numbers = draw_moves(panel, rows[rows["benchmark_name"] == AVERAGE])
    _finish(panel)
    return numbers


def draw_growth(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """One model, by the dataset of the fine-tuning, as its data grow."""
    rows = fractions(runs)
    numbers = draw_paths(panel, rows[rows["benchmark_name"] == AVERAGE], labels)
    _finish(panel)
    return numbers


def _finish(panel: Axes) -> None:
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.locator_params(nbins=6)
    panel.legend(fontsize=7)


def draw_lora(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """A point per dataset of the fine-tuning x benchmark, mean over seeds; the line is equality."""
    pairs = lora_and_full(runs)
    pairs = pairs[pairs["benchmark_name"] != AVERAGE]
    pairs = pairs.assign(relation=relations(pairs, modalities(labels)))
    shown = handles(pairs, labels)
    marker = markers(list(shown.values()))
    for (name, relation), points in pairs.groupby(["finetuning_dataset", "relation"]):
        look = {"color": _COLOURS[relation], "marker": marker[shown[name]], "alpha": 0.85, "linewidths": 0}
        panel.scatter(points["full"], points["lora"], s=26, **look)
    panel.axline((0, 0), slope=1, color="black", lw=0.7, ls=":")
    panel.set(xlabel="ΔS of full fine-tuning", ylabel="ΔS of LoRA")
    panel.locator_params(nbins=6)
    lines = [plt.Line2D([], [], color=colour, lw=3, label=relation) for relation, colour in _COLOURS.items()]
    lines += [plt.Line2D([], [], color="0.3", marker=m, ms=4.5, lw=0, label=handle) for handle, m in marker.items()]
    panel.legend(handles=lines, fontsize=7)
    return pairs
