"""Roles of models: whether they are fitted or held out, and which of them represents others in figures."""

import pandas as pd

KINDS = ("fitted", "adversarial", "self-supervised", "held out")
FLEX = "Flex"
"""Ending of the names of families whose architectures are variants of one network with other widths or depths."""
_PAPER_REFERENCE = "deit_small"


def kinds(models: pd.DataFrame) -> pd.Series:
    """Return one of ``KINDS`` for each row.

    Scaling laws are fitted only to models of the kind ``fitted``. Any other kind says why they are not fitted to the model.

    A self-supervised model is fitted only if the config says ``fit: true``. An adversarial copy is never fitted.
    """
    found = pd.Series("held out", models.index)
    found[models["is_selfsupervised_learning"].eq(True)] = "self-supervised"
    found[~models["held_out"]] = "fitted"
    found[models["is_adversarially_finetuned"].eq(True)] = "adversarial"
    return found


def families(models: pd.DataFrame) -> pd.Series:
    """Return the architecture family of each row. Families of flexible width are merged into their parents."""
    return models["backbone_arch_family"].str.removesuffix(FLEX)


def are_flex(models: pd.DataFrame) -> pd.Series:
    """Tell for each row whether its architecture has flexible width."""
    return models["backbone_arch_family"].str.endswith(FLEX)


def reference_shown(layers: pd.DataFrame) -> str:
    """Return the reference model whose layers figures show. It is the paper's DeiT-S, or else the model with most layers."""
    n_layers = layers.groupby("model_id", sort=False)["layer_name"].nunique()
    return str(next((id for id in n_layers.index if id.startswith(_PAPER_REFERENCE)), n_layers.idxmax()))


def common_base(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the fine-tuning runs of the base model with the most rows.

    If several base models have equally many rows, the first of them is used.
    """
    return runs[runs["base_model_id"] == most_frequent(runs["base_model_id"])]


def most_frequent(names: pd.Series) -> str:
    """Return the value that occurs most often. If several values occur equally often, return the first of them."""
    return str(names.value_counts(sort=False).idxmax())
