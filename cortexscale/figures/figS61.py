"""Figure S61: the best LoRA setting of every dataset, chosen afterwards, beside full fine-tuning."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import AVERAGE_GAIN, draw_bars, handles
from cortexscale.figures.panels import legend_over
from cortexscale.scaling.finetuning import AVERAGE, best_lora, finetuning_scores, full_data, summary

_METHODS = {"full": "full fine-tuning", "lora": "LoRA, best of each dataset"}
_COLOURS = {"full fine-tuning": "#1f4e79", "LoRA, best of each dataset": "#f4a261"}


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Average over benchmarks, by dataset of the fine-tuning: means over seeds with 95 % bootstrap intervals; and over all
    datasets, where intervals are over datasets and seeds. LoRA's settings were chosen by these very numbers: an upper bound.

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
    draw_bars(panel, means, ("finetuning_dataset", handles(rows, labels)), ("method", _METHODS), _COLOURS)
    panel.set(ylabel=AVERAGE_GAIN)
    legend_over(panel)
    return figure, means
