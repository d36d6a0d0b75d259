"""LoRA beside full fine-tuning: the difference in gain, and the best setting of every dataset."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_panels import AVERAGE_GAIN, HUNDREDFOLD, colour_bar, dataset_labels, draw_bars, draw_heat
from cortexscale.figures.panels import legend_over
from cortexscale.scaling.finetuning import best_lora, finetuning_scores, full_data, lora_and_full, summary

_METHODS = {"full": "full fine-tuning", "lora": "LoRA, best of each dataset"}
_COLOURS = {"full fine-tuning": "#1f4e79", "LoRA, best of each dataset": "#f4a261"}


def draw_against_full(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw a heat map of 100 ΔS of LoRA minus 100 ΔS of full fine-tuning.

    Raises:
        InputError: the study has no data fractions, or no LoRA.
    """
    pairs = lora_and_full(finetuning_scores(tables["finetuning"]))
    trained, tested = dataset_labels(pairs, datasets), dataset_labels(pairs, datasets, "benchmark_name")
    table = HUNDREDFOLD * pairs.pivot(index="finetuning_dataset", columns="benchmark_name", values="difference")
    table = table.reindex(index=list(trained), columns=list(tested))
    size = (0.62 * len(tested) + 2.1, 0.42 * max(3, len(trained)) + 1.3)
    figure, panel = plt.subplots(figsize=size, layout="constrained")
    image = draw_heat(panel, table, CenteredNorm(halfrange=table.abs().max(axis=None)))
    panel.set_xticks(range(len(tested)), list(tested.values()), rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    panel.set_yticks(range(len(trained)), list(trained.values()), fontsize=8)
    panel.set(xlabel="Scored on", ylabel="Fine-tuned on")
    colour_bar(figure, image, [panel], "100 ΔS, LoRA − full")
    return figure, pairs


def draw_best(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw bars of both methods by the dataset of the fine-tuning, and over all datasets.

    Raises:
        InputError: the study has no data fractions, or no LoRA.
    """
    runs = finetuning_scores(tables["finetuning"])
    methods = {"full": full_data(runs), "lora": best_lora(runs, per_dataset=True)}
    rows = pd.concat([rows.assign(method=name) for name, rows in methods.items()])
    rows = rows[rows["benchmark_name"] == AVERAGE]
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE, lora_rank=None, learning_rate=None)])
    means = summary(rows, ["finetuning_dataset", "method", "lora_rank", "learning_rate"])
    figure, panel = plt.subplots(figsize=(5.4, 3.2), layout="constrained")
    draw_bars(panel, means, ("finetuning_dataset", dataset_labels(rows, datasets)), ("method", _METHODS), _COLOURS)
    panel.set(ylabel=AVERAGE_GAIN)
    legend_over(panel)
    return figure, means
