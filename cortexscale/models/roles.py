"""The role of each model: fitted or held out, or the model that represents others."""

import pandas as pd

KINDS = ("fitted", "adversarial", "self-supervised", "held out")
FLEX = "Flex"
"""Ending of the families whose architectures differ in width alone."""
_PAPER_REFERENCE = "deit_small"


def kinds(models: pd.DataFrame) -> pd.Series:
    """One of ``KINDS`` per row: ``fitted`` if scaling laws may be fitted to the model, else the reason why not.

    A self-supervised model is fitted only if the config says ``fit: true``, and an adversarial copy never is.
    """
    found = pd.Series("held out", models.index)
    found[models["is_selfsupervised_learning"].eq(True)] = "self-supervised"
    found[~models["held_out"]] = "fitted"
    found[models["is_adversarially_finetuned"].eq(True)] = "adversarial"
    return found


def families(models: pd.DataFrame) -> pd.Series:
    """The architecture family of every row, with families of flexible width merged into their parents."""
    return models["backbone_arch_family"].str.removesuffix(FLEX)


def are_flex(models: pd.DataFrame) -> pd.Series:
    """Whether the architecture of a row is one of flexible width."""
    return models["backbone_arch_family"].str.endswith(FLEX)


def reference_shown(layers: pd.DataFrame) -> str:
    """The reference model whose layers figures show: the paper's DeiT-S, or else the model with most layers."""
    n_layers = layers.groupby("model_id", sort=False)["layer_name"].nunique()
    return str(next((id for id in n_layers.index if id.startswith(_PAPER_REFERENCE)), n_layers.idxmax()))


def common_base(runs: pd.DataFrame) -> pd.DataFrame:
    """The fine-tuning runs of the base model that has most rows; of several, the first."""
    return runs[runs["base_model_id"] == most_frequent(runs["base_model_id"])]


def most_frequent(names: pd.Series) -> str:
    """The value that occurs most often; of several, the first."""
    return str(names.value_counts(sort=False).idxmax())
