"""Figure S57: the average gain by LoRA ranks and learning rates, for every dataset of the fine-tuning."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import LORA, draw_heat_maps, handles
from cortexscale.scaling.finetuning import AVERAGE, finetuning_scores, lora_sweep


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """100 ΔS, mean over benchmarks and seeds.

    Raises:
        InputError: the study has no experiment `lora`.
    """
    rows = lora_sweep(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] == AVERAGE]
    return draw_heat_maps(rows, handles(rows, labels), "finetuning_dataset", *LORA)
