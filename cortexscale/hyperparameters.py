"""Tables that compare the hyper-parameters of fine-tuning and readouts with those of the paper (Tables S3, S5 and S6)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.catalogue.readouts import KINDS
from cortexscale.datasets.registry import facts
from cortexscale.jobs import plain
from cortexscale.markdown import markdown_table
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.recipe import NeuralRecipe

_OURS = {"precision": "bf16-mixed; float32 on a CPU", "schedule": "linear warm-up, cosine"}
"""Values that differ from the paper and that no recipe can change."""

_PAPER = pd.read_csv(Path(__file__).with_name("hyperparameters.tsv"), sep="\t", dtype=str, keep_default_na=False)
"""The columns are table, group, parameter, key of the recipe, and value in the paper. The values come from Tables S3 and S5, from
appendix G.1 for stimuli, and from appendix I for LoRA. If a row has no key, the value is fixed, and no recipe can change it."""
_CHOSEN = ("epochs", "learning_rate", "dropout")


def finetuning_table(recipes: Mapping[str, NeuralRecipe]) -> pd.DataFrame:
    """Make Table S3.

    It shows all values of the first recipe of fine-tuning, and the values in which other recipes differ from it.

    Returns:
        A table with ``recipe``, ``group``, ``parameter``, ``study`` and ``paper``. The last two are the values as text; ``paper``
        is empty if the paper gives no value.
    """
    tables = [_beside(plain(recipe), "S3").assign(recipe=name) for name, recipe in recipes.items()]
    first = dict(zip(tables[0]["parameter"], tables[0]["study"], strict=True))
    others = [table[table["parameter"].map(first) != table["study"]] for table in tables[1:]]
    return pd.concat([tables[0], *others], ignore_index=True)[["recipe", "group", "parameter", "study", "paper"]]


def attention_table(recipe: ReadoutRecipe) -> pd.DataFrame:
    """Make Table S5 for an attention readout, with the columns ``group``, ``parameter``, ``study`` and ``paper``."""
    return _beside(plain(recipe), "S5")


def readout_table(
    recipes: Mapping[str, Mapping[str, ReadoutRecipe]], readers: Mapping[str, str], labels: Mapping[str, str]
) -> pd.DataFrame:
    """Make Table S6, which has the hyper-parameters of trained readouts that differ between datasets.

    Args:
        recipes: readout -> dataset -> recipe.
        readers: reader of each dataset, such as ``tvsd``; it decides which values of the paper are shown.

    Returns:
        A table with ``readout``, ``dataset`` (a label), ``epochs``, ``learning_rate`` and ``dropout`` (nan for a readout without
        dropout). The columns ``paper_*`` have the paper's values for attention, and nan where the paper gives no value.
    """
    rows = []
    for readout, of_readout in recipes.items():
        for name, recipe in of_readout.items():
            entry = facts(readers[name]) if readout == "attention" else None
            paper = entry.readouts.get(readout) if entry else None
            values = {key: getattr(recipe, key) if key in KINDS[readout].varied else np.nan for key in _CHOSEN}
            published = {f"paper_{key}": getattr(paper, key, np.nan) for key in _CHOSEN}
            rows.append({"readout": readout, "dataset": labels[name], **values, **published})
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> str:
    """Write a table of this module in Markdown."""
    cells = table.map(_text).rename(columns=lambda name: name.replace("_", " ").capitalize())
    return markdown_table(cells, left=[str(name) for name in cells])


def _beside(recipe: dict[str, Any], table: str) -> pd.DataFrame:
    """Compare the values of a recipe with a table of the paper. Rows with a key that the recipe does not have are left out."""
    values = _OURS | pd.json_normalize(recipe).to_dict("records")[0]
    rows = _PAPER[(_PAPER["table"] == table) & _PAPER["key"].isin(["", *values])]
    study = [_text(values[key]) if key else paper for key, paper in zip(rows["key"], rows["paper"], strict=True)]
    return rows.assign(study=study)[["group", "parameter", "study", "paper"]].reset_index(drop=True)


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return np.format_float_scientific(value, trim="-", exp_digits=1) if 0 < value < 1e-3 else f"{value:g}"
    return str(value)
