"""Figure S59: the gain on the dataset of the fine-tuning by LoRA ranks and learning rates."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import LORA, draw_heat_maps, handles
from cortexscale.scaling.finetuning import finetuning_scores, lora_sweep


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """100 ΔS, mean over seeds.

    Raises:
        InputError: the study has no experiment `lora`.
    """
    rows = lora_sweep(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["finetuning_dataset"] == rows["benchmark_name"]]
    return draw_heat_maps(rows, handles(rows, labels), "finetuning_dataset", *LORA)
