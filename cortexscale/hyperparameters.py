"""Tables of hyper-parameters of fine-tuning and readouts, beside the values of the paper (Tables S3, S5 and S6)."""

from collections.abc import Mapping
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

FINETUNING = [
    ("Batching", "Image batch size", "image_batch", 512),
    ("Batching", "Neural batch size", "neural_batch", 256),
    ("Optimisation", "Optimiser", None, "AdamW"),
    ("Optimisation", "β1, β2", None, "0.9, 0.999"),
    ("Optimisation", "ε", None, 1e-8),
    ("Optimisation", "Encoder learning rate", "learning_rate", 1e-5),
    ("Optimisation", "Decoder learning rate", None, "0 (frozen)"),
    ("Optimisation", "Encoder weight decay", "weight_decay", 0.05),
    ("Optimisation", "Decoder weight decay", None, 0),
    ("Optimisation", "Epochs", "epochs", 20),
    ("Optimisation", "Precision", "precision", "bf16-mixed"),
    ("Schedule", "Schedule", "schedule", "cosine annealing + warmup"),
    ("Schedule", "Warm-up (epochs)", "warmup_epochs", 5),
    ("Schedule", "Least learning rate", "min_learning_rate", 1e-6),
    ("Losses", "Neural loss", "loss", "mse"),
    ("Losses", "Image loss weight λ_img", "lambda_img", 0.1),
    ("Losses", "Neural loss weight λ_neural", "lambda_neural", 100),
    ("Losses", "Batches that move batch norm", "batch_norm", None),
    ("Stimuli", "Shift (degrees of visual angle)", "jitter.shift", 0.5),
    ("Stimuli", "Rotation (degrees)", "jitter.rotation", 0.5),
    ("Stimuli", "Scaling (fraction)", "jitter.scale", 0.1 / 8),
    ("Stimuli", "Field of view (degrees of visual angle)", "jitter.field_of_view", 8),
    ("LoRA", "Rank", "lora.rank", "8, 16, 32"),
    ("LoRA", "α", "lora.alpha", 32),
    ("LoRA", "Dropout", "lora.dropout", 0.1),
    ("LoRA", "Layers", "lora.targets", "attention projection, both of the feed-forward"),
    ("LoRA", "Classifier is trained", "lora.train_head", True),
]
"""Group, parameter, key of the recipe, and value of the paper (Table S3; appendix G.1 for stimuli, appendix I for LoRA). Without
a key, no recipe can change the value of the paper."""

ATTENTION = [
    ("Architecture", "Model dimension", "width", 384),
    ("Architecture", "Attention heads", "heads", 16),
    ("Architecture", "Feedforward dimension", None, "0 (no fully connected layers)"),
    ("Architecture", "Latent query tokens", "latents", 16),
    ("Architecture", "Cross-attention layers", None, 1),
    ("Architecture", "Token encoder layers", None, 0),
    ("Architecture", "Query self-attention", None, "disabled"),
    ("Architecture", "Positional encoding", None, "sinusoidal"),
    ("Architecture", "Head", None, "linear"),
    ("Architecture", "Dropout", "dropout", 0.3),
    ("Optimisation", "Optimiser", None, "AdamW"),
    ("Optimisation", "Learning rate", "learning_rate", 1e-4),
    ("Optimisation", "Weight decay", "weight_decay", 1e-4),
    ("Optimisation", "Schedule", None, "cosine"),
    ("Optimisation", "Gradient clipping", "clip", 1.0),
    ("Optimisation", "Precision", "precision", "bf16-mixed"),
    ("Optimisation", "Batch size", "batch", 256),
    ("Optimisation", "Epochs", "epochs", 10),
]
"""Group, parameter, key of the recipe, and value of the paper, for the attention readout (Table S5)."""

_CHOSEN = ("epochs", "learning_rate", "dropout")


def finetuning_table(recipes: Mapping[str, NeuralRecipe]) -> pd.DataFrame:
    """Make Table S3: the first recipe of fine-tuning, and the differences of every other recipe from it.

    Returns:
        ``recipe``, ``group``, ``parameter``, and ``study`` and ``paper`` as text (empty where the paper gives no value).
    """
    tables = [_beside(plain(recipe), FINETUNING).assign(recipe=name) for name, recipe in recipes.items()]
    first = dict(zip(tables[0]["parameter"], tables[0]["study"], strict=True))
    others = [table[table["parameter"].map(first) != table["study"]] for table in tables[1:]]
    return pd.concat([tables[0], *others], ignore_index=True)[["recipe", "group", "parameter", "study", "paper"]]


def attention_table(recipe: ReadoutRecipe) -> pd.DataFrame:
    """Make Table S5: ``group``, ``parameter``, ``study`` and ``paper`` of an attention readout."""
    return _beside(plain(recipe), ATTENTION)


def readout_table(
    recipes: Mapping[str, Mapping[str, ReadoutRecipe]], readers: Mapping[str, str], labels: Mapping[str, str]
) -> pd.DataFrame:
    """Make Table S6: the hyper-parameters of every trained readout that differ between datasets.

    Args:
        recipes: readout -> dataset -> recipe.
        readers: reader of each dataset, such as ``tvsd``. The values of the paper are those of the reader.
        labels: label of each dataset.

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


def _beside(recipe: dict[str, Any], rows: list[tuple[str, str, str | None, Any]]) -> pd.DataFrame:
    """Put the values of a recipe beside those of the paper, for the rows whose key the recipe has."""
    values = _OURS | pd.json_normalize(recipe).to_dict("records")[0]
    known = [row for row in rows if row[2] is None or row[2] in values]
    shown = [(group, name, _text(values[key] if key else paper), _text(paper)) for group, name, key, paper in known]
    return pd.DataFrame(shown, columns=["group", "parameter", "study", "paper"])


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
