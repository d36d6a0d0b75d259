"""Figure S58: the gain on every benchmark by LoRA ranks and learning rates."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import LORA, draw_heat_maps, handles
from cortexscale.scaling.finetuning import finetuning_scores, lora_sweep


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """100 ΔS, mean over datasets of the fine-tuning and seeds.

    Raises:
        InputError: the study has no experiment `lora`.
    """
    rows = lora_sweep(finetuning_scores(tables["finetuning"]))
    return draw_heat_maps(rows, handles(rows, labels, "benchmark_name"), "benchmark_name", *LORA)
