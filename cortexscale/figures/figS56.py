"""Figure S56: the gain by epochs and learning rates, by how benchmark and dataset of the fine-tuning are related."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import SWEEP, draw_heat_maps, modalities
from cortexscale.scaling.finetuning import AVERAGE, RELATIONS, finetuning_scores, rate_sweep, relations


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """100 ΔS, mean over pairs of dataset and benchmark, and seeds.

    Raises:
        InputError: the study has no experiment `explore`.
    """
    rows = rate_sweep(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] != AVERAGE]
    rows = rows.assign(relation=relations(rows, modalities(labels)))
    facets = {name: name.capitalize() for name in RELATIONS if (rows["relation"] == name).any()}
    return draw_heat_maps(rows, facets, "relation", *SWEEP)
