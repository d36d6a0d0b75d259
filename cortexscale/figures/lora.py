"""Figure S60: what LoRA gains more than full fine-tuning, for every dataset of the fine-tuning and every benchmark."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import HUNDREDFOLD, colour_bar, draw_heat, handles
from cortexscale.scaling.finetuning import finetuning_scores, lora_and_full


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Difference of 100 ΔS, means over seeds: the shared LoRA setting minus full fine-tuning at the common setting.

    Raises:
        InputError: the study has no data fractions, or no LoRA.
    """
    pairs = lora_and_full(finetuning_scores(tables["finetuning"]))
    shown, tested = handles(pairs, labels), handles(pairs, labels, "benchmark_name")
    table = HUNDREDFOLD * pairs.pivot(index="finetuning_dataset", columns="benchmark_name", values="difference")
    table = table.reindex(index=list(shown), columns=list(tested))
    size = (0.62 * len(tested) + 2.1, 0.42 * max(3, len(shown)) + 1.3)
    figure, panel = plt.subplots(figsize=size, layout="constrained")
    image = draw_heat(panel, table, CenteredNorm(halfrange=table.abs().max(axis=None)))
    panel.set_xticks(range(len(tested)), list(tested.values()), rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    panel.set_yticks(range(len(shown)), list(shown.values()), fontsize=8)
    panel.set(xlabel="Benchmark", ylabel="Fine-tuned on")
    colour_bar(figure, image, [panel], "100 ΔS, LoRA − full")
    return figure, pairs
