"""Figure S52: the average gain by epochs and learning rates."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import SWEEP, draw_heat_maps
from cortexscale.scaling.finetuning import AVERAGE, finetuning_scores, rate_sweep


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """100 ΔS, mean over benchmarks, datasets of the fine-tuning and seeds.

    Raises:
        InputError: the study has no experiment `explore`.
    """
    rows = rate_sweep(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] == AVERAGE]
    return draw_heat_maps(rows, {AVERAGE: "Average over benchmarks"}, "benchmark_name", *SWEEP)
