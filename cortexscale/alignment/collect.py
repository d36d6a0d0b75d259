"""Result tables of a study, with the columns of the published tables."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cortexscale.stores import read_table


def pretraining_table(alignment: Sequence[Path], cards: Path) -> pd.DataFrame:
    """Put the scores of all models in one table, beside their cards: one row per model x dataset x subject x ROI."""
    models = read_table(cards, columns=("model_id", "pretraining_total_flops_estimate"))
    scores = pd.concat([read_table(file, columns=("model_id", "pearsonr_nc")) for file in alignment], ignore_index=True)
    return scores.merge(models, on="model_id", how="left", validate="many_to_one")


def layer_search_table(searches: Sequence[Path]) -> pd.DataFrame:
    """Put the layer scores of all reference models in one table: one row per model x dataset x layer x subject x ROI."""
    return pd.concat([read_table(file, columns=("model_id", "cv_score")) for file in searches], ignore_index=True)


def projection_table(scores: Sequence[Path]) -> pd.DataFrame:
    """Put the scores of the projection study in one table: one row per model x projection x dataset x subject x ROI."""
    return pd.concat([read_table(file, columns=("model_id", "dimensions", "pearsonr_nc")) for file in scores], ignore_index=True)
