"""Result tables of a study. They have the columns of the published tables."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cortexscale.stores import read_table


def pretraining_table(alignment: Sequence[Path], cards: Path) -> pd.DataFrame:
    """Combine the scores and cards of all models in one table, with one row per model x dataset x subject x ROI."""
    models = read_table(cards, columns=("model_id", "pretraining_total_flops_estimate"))
    return joined(alignment, "pearsonr_nc").merge(models, on="model_id", how="left", validate="many_to_one")


def joined(files: Sequence[Path], *columns: str) -> pd.DataFrame:
    """Combine the tables of all models in one table. Each table must have ``columns``."""
    return pd.concat([read_table(file, columns=("model_id", *columns)) for file in files], ignore_index=True)
