"""Read published tables: check their columns, and convert names to those that the results of a study have."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.datasets.registry import all_facts
from cortexscale.errors import InputError
from cortexscale.models.inventory import SUITES
from cortexscale.published import FILES
from cortexscale.stores import read_table

BENCHMARKS = {entry.released_name: name for name, entry in all_facts().items()}
"""Name of a dataset in the released tables -> name of its reader."""
SOURCES = {"spvvs": "spvvs", "timm": "timm", "hf": "huggingface", "huggingface": "huggingface"}
REMEDY = "fetch the table of the authors again, or name another `revision` of it"
_RATE = r"-lr(\d+)e(\d+)_0(?=-|$)"  # the learning rate in the id of a fine-tuned model: ``-lr5e6_0-`` means 5e-6
RATE = 1e-5  # learning rate of models whose ids contain none (Table S3)
_UNKNOWN = {"finetuning": ["n_trainable_params"], "mapping": ["n_params", "n_params_per_subject"]}
"""Table -> columns that a study has but the authors did not publish."""
_TRUTH = {True: True, False: False, "True": True, "False": False}


def text(value: Any) -> str:
    """Return a value as text. Bytes are decoded. Whole numbers have no decimals, because a subject may be a number."""
    if isinstance(value, bytes | str):
        return value.decode() if isinstance(value, bytes) else value
    if isinstance(value, bool | np.bool_) or value != int(value):
        raise ValueError(value)
    return str(int(value))


def number(value: Any) -> float:
    if isinstance(value, bool | np.bool_):
        raise ValueError(value)
    return float(value)


@dataclass(frozen=True)
class Column:
    """A column of a published table."""

    kind: str  # the expected values in words
    read: Callable[[Any], object]  # converts one value, or raises a ValueError, KeyError or TypeError
    filled: bool = False  # whether every row must have a value
    required: bool = True
    empty: object = np.nan  # value of an empty cell


_TEXT, _NUMBER = Column("text", text), Column("numbers", number)
_FLAG = Column("true or false", _TRUTH.__getitem__, empty=False)
_KEY = Column("text in every row", text, filled=True)
_EXTRA = Column("numbers", number, required=False)
_SIMILARITIES = [f"{kind}_{of}_{split}" for kind in ("rsa", "cka") for of in ("c", "ve") for split in ("train", "test")]
IN_SAMPLE = {f"{kind}_ve_train": f"{kind}_ve_train_in_sample" for kind in ("rsa", "cka")}
"""Published column -> its name here. For these similarities, ridge predicts the stimuli that it was fitted to. They are therefore
higher than the ``rsa_ve_train_held_out`` and ``cka_ve_train_held_out`` of a study."""
_RESULT = {
    "benchmark_name": Column(f"one of {', '.join(BENCHMARKS)}", BENCHMARKS.__getitem__, filled=True),
    **dict.fromkeys(("model_id", "subject", "roi"), _KEY),
    "layer_name": _TEXT,
    **dict.fromkeys(("layer_position", "pearsonr", "pearsonr_nc", "noise_ceiling", *_SIMILARITIES), _NUMBER),
    **dict.fromkeys(("layer_position_normalized", "cv_score", "r2", "evs", "mae", "mse"), _EXTRA),
    **dict.fromkeys(("approx_exp_var", "approx_exp_var_nc"), _EXTRA),
}
_PRETRAINING = {
    "backbone_source": Column(f"one of {', '.join(SOURCES)}", SOURCES.__getitem__, filled=True),
    **dict.fromkeys(("backbone_arch", "backbone_arch_family"), _KEY),
    "pretraining_dataset": _TEXT,
    **dict.fromkeys(("backbone_n_params", "backbone_flops", "pretraining_n_samples"), _NUMBER),
    **dict.fromkeys(("pretraining_samples_per_class", "pretraining_seed", "pretraining_total_flops_estimate"), _NUMBER),
    **dict.fromkeys(("is_selfsupervised_learning", "is_adversarially_finetuned"), _FLAG),
    "task_evaluation_acc": _NUMBER,
    **dict.fromkeys(("backbone_macs", "pretraining_total_flops"), _EXTRA),
}
_FINETUNING = {
    "exp_type": Column("finetuning_<experiment> in every row", text, filled=True),
    "finetuning_dataset": Column(f"one of {', '.join(BENCHMARKS)}", BENCHMARKS.__getitem__),
    **dict.fromkeys(("finetuning_regions", "finetuning_subjects"), _TEXT),
    **dict.fromkeys(("data_pct", "fitting_samples", "seed", "epochs", "lora_rank", "task_evaluation_acc"), _NUMBER),
    "random_shuffle": _FLAG,
    **dict.fromkeys(("lora_alpha", "lora_dropout", "learning_rate", "n_trainable_params"), _EXTRA),
    **dict.fromkeys(("arch", "lora_target_modules"), Column("text", text, required=False)),
    "lora_update_head": Column("true or false", _TRUTH.__getitem__, required=False, empty=False),
}
_MAPPING = {
    **dict.fromkeys(("data_pct", "fitting_samples", "seed"), Column("numbers in every row", number, filled=True)),
    **dict.fromkeys(("probe_type", "probe_subj_config", "probe_subj_config_name", "probe_name"), _KEY),
    **dict.fromkeys(("n_params", "n_params_per_subject"), _EXTRA),
}
COLUMNS = {
    "pretraining": _RESULT | _PRETRAINING,
    "layer_search": _RESULT,
    "finetuning": _RESULT | _FINETUNING,
    "mapping": _RESULT | _MAPPING,
}
"""Table -> its columns. Optional columns are read if they exist. Unknown columns are kept unchanged."""


def checked_columns(table: pd.DataFrame, name: str, where: object) -> pd.DataFrame:
    """Convert the columns of a published table to their types, and names of datasets and sources to those of a study.

    Raises an InputError that lists every missing column and every column with unexpected values.
    """
    columns = COLUMNS[name]
    unknown = [str(column) for column in table if column not in columns]
    problems = [f"{column}: no such column" for column, of in columns.items() if of.required and column not in table]
    fitting = {}
    for column, of in columns.items():
        if column in table:
            fitting[column], wrong = _read(table[column], of)
            problems += [f"{column}: {wrong}, expected {of.kind}"] if wrong else []
    problems += ["no rows"] if table.empty else []
    if problems:
        problems += [f"columns that are not known here: {', '.join(unknown)}"] if unknown else []
        found = f"{len(problems)} problem(s)" + "".join(f"\n      - {problem}" for problem in problems)
        raise InputError(where, found, f"the published table {FILES[name]}", REMEDY)
    if unknown:
        logging.warning("%s: columns that are not known here are kept: %s", where, ", ".join(unknown))
    return table.assign(**fitting)


def _read(column: pd.Series, of: Column) -> tuple[pd.Series, str]:
    """Return the converted column with an empty message, or the unchanged column with a message about its problem."""
    empty = column.isna()
    if of.filled and empty.any():
        return column, f"empty in {empty.sum():,} of {len(column):,} rows"
    if of.read is number and column.dtype.kind in "iuf":
        return column.astype(float), ""
    names, wrong = {}, []
    for value in column[~empty].unique().tolist():
        try:
            names[value] = of.read(value)
        except (ValueError, KeyError, TypeError):
            wrong.append(repr(value))
    if wrong:
        return column, f"holds {', '.join(wrong[:3])}" + ", ..." * (len(wrong) > 3)
    values = column.astype(object).map(names).where(~empty, of.empty)
    return values.astype("float64" if of.read is number else "bool" if of.read == _TRUTH.__getitem__ else "object"), ""


def published_table(file: Path, name: str) -> pd.DataFrame:
    """Read and convert one published table: ``pretraining``, ``layer_search``, ``finetuning`` or ``mapping``."""
    return normalised(read_table(file), name, file)


def normalised(table: pd.DataFrame, name: str, where: object) -> pd.DataFrame:
    """Check and convert a published table in memory. ``where`` is its name in messages.

    Similarities of stimuli that ridge was fitted to have the names in ``IN_SAMPLE``. Datasets get the names of their readers,
    as in ``config/paper.yaml``. Flags become booleans, and numbers float64. The table ``pretraining`` gets the column
    ``held_out``, ``layer_search`` gets ``layer_position_normalized``, and ``finetuning`` gets ``base_model_id`` and
    ``learning_rate``. Columns that were not published are nan.
    """
    table = checked_columns(table, name, where).rename(columns=IN_SAMPLE)
    for column in set(_UNKNOWN.get(name, ())) - set(table):
        table[column] = np.nan
    if name == "layer_search" and "layer_position_normalized" not in table:
        deepest = table.groupby("model_id")["layer_position"].transform("max")
        table["layer_position_normalized"] = table["layer_position"] / deepest
    if name == "pretraining":
        table["held_out"] = ~table["backbone_source"].isin(SUITES) | table["is_selfsupervised_learning"]
    return _with_bases(table, where) if name == "finetuning" else table


def _with_bases(runs: pd.DataFrame, where: object) -> pd.DataFrame:
    """Add base models and learning rates to fine-tuning runs.

    Ids begin with the architecture, as in ``deit_small-`` for fine-tuned models and ``deit_small_`` for base models.
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
