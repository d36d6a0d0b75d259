"""Published tables in the names that results of a study have, so that fits and figures treat both alike."""

from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.models.inventory import SUITES
from cortexscale.published.schema import REMEDY, checked_columns
from cortexscale.stores import read_table

_RATE = r"-lr(\d+)e(\d+)_0(?=-|$)"
"""The learning rate in the id of a fine-tuned model: ``-lr5e6_0-`` means 5e-6.0."""
RATE = 1e-5
"""Learning rate of models whose ids name none (Table S3)."""
_UNKNOWN = {"finetuning": ["n_trainable_params"], "mapping": ["n_params", "n_params_per_subject"]}
"""Columns of a study that the authors do not publish."""


def published_table(file: Path, name: str) -> pd.DataFrame:
    """Read, check and rename one published table: ``pretraining``, ``layer_search``, ``finetuning`` or ``mapping``."""
    return normalised(read_table(file), name, file)


def normalised(table: pd.DataFrame, name: str, where: object) -> pd.DataFrame:
    """Check and rename a published table that is in memory. ``where`` names it in messages.

    Datasets are named by their readers, as in ``config/paper.yaml``. Flags are booleans, numbers float64. A pretraining table
    gains ``held_out``, a layer search ``layer_position_normalized``, a fine-tuning ``base_model_id`` and ``learning_rate``.
    Columns that were not published are nan.
    """
    table = checked_columns(table, name, where)
    for column in set(_UNKNOWN.get(name, ())) - set(table):
        table[column] = np.nan
    if name == "layer_search" and "layer_position_normalized" not in table:
        deepest = table.groupby("model_id")["layer_position"].transform("max")
        table["layer_position_normalized"] = table["layer_position"] / deepest
    if name == "pretraining":
        table["held_out"] = ~table["backbone_source"].isin(SUITES) | table["is_selfsupervised_learning"]
    return _with_bases(table, where) if name == "finetuning" else table


def _with_bases(runs: pd.DataFrame, where: object) -> pd.DataFrame:
    """Add the base model and the learning rate. Ids begin with the architecture: ``deit_small-`` if fine-tuned, else
    ``deit_small_``.
    """
    baseline = runs["exp_type"] == "finetuning_baseline"
    begins = runs["model_id"].str.partition("-")[0]
    archs, ids = begins[~baseline].unique(), runs.loc[baseline, "model_id"].unique()
    of = {arch: [id for id in ids if id.startswith(f"{arch}_")] for arch in archs}
    wrong = [f"{len(bases)} base models of {arch}" for arch, bases in of.items() if len(bases) != 1]
    if wrong:
        expected = "one model with exp_type finetuning_baseline for every architecture"
        raise InputError(where, ", ".join(wrong), expected, REMEDY)
    base = begins.map({arch: bases[0] for arch, bases in of.items()}).where(~baseline, runs["model_id"])
    if "learning_rate" not in runs:
        rate = runs["model_id"].str.extract(_RATE).astype(float)
        runs["learning_rate"] = (rate[0] / 10 ** rate[1]).fillna(RATE).mask(baseline)
    return runs.assign(base_model_id=base, arch=base.map({bases[0]: arch for arch, bases in of.items()}))
