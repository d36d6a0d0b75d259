"""Tables of hyper-parameters of fine-tuning and readouts, beside the values of the paper (Tables S3, S5 and S6)."""

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
"""Values that no recipe can change and that are not those of the paper."""

_PAPER = pd.read_csv(Path(__file__).with_name("hyperparameters.tsv"), sep="\t", dtype=str, keep_default_na=False)
"""Table, group, parameter, key of the recipe, and value of the paper (Tables S3 and S5; appendix G.1 for stimuli, appendix I for
LoRA). Without a key, no recipe can change the value of the paper."""
_CHOSEN = ("epochs", "learning_rate", "dropout")


def finetuning_table(recipes: Mapping[str, NeuralRecipe]) -> pd.DataFrame:
    """Make Table S3: the first recipe of fine-tuning, and the differences of every other recipe from it.

    Returns:
        ``recipe``, ``group``, ``parameter``, and ``study`` and ``paper`` as text (empty where the paper gives no value).
    """
    tables = [_beside(plain(recipe), "S3").assign(recipe=name) for name, recipe in recipes.items()]
    first = dict(zip(tables[0]["parameter"], tables[0]["study"], strict=True))
    others = [table[table["parameter"].map(first) != table["study"]] for table in tables[1:]]
    return pd.concat([tables[0], *others], ignore_index=True)[["recipe", "group", "parameter", "study", "paper"]]


def attention_table(recipe: ReadoutRecipe) -> pd.DataFrame:
    """Make Table S5: ``group``, ``parameter``, ``study`` and ``paper`` of an attention readout."""
    return _beside(plain(recipe), "S5")


def readout_table(
    recipes: Mapping[str, Mapping[str, ReadoutRecipe]], readers: Mapping[str, str], labels: Mapping[str, str]
) -> pd.DataFrame:
    """Make Table S6: the hyper-parameters of every trained readout that differ between datasets.

    Args:
        recipes: readout -> dataset -> recipe.
        readers: reader of each dataset, such as ``tvsd``. The values of the paper are those of the reader.

    Returns:
        ``readout``, ``dataset`` (its label), ``epochs``, ``learning_rate``, ``dropout`` (nan for a readout without dropout);
        the values of the paper as ``paper_*`` for attention, nan where it has none.
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
    """Write one of these tables in Markdown."""
    cells = table.map(_text).rename(columns=lambda name: name.replace("_", " ").capitalize())
    return markdown_table(cells, left=[str(name) for name in cells])


def _beside(recipe: dict[str, Any], table: str) -> pd.DataFrame:
    """Put the values of a recipe beside those of a table of the paper, for the rows whose key the recipe has."""
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
