"""The pretraining axes: alignment against compute, samples and parameters (paper, sections 3 and 4.1)."""

from dataclasses import dataclass

import pandas as pd

COMPOSITE_ROIS = {"whole_brain", "nsdgeneral", "occipital_parietal"}
ALL = "all"
"""The family of a fit to all families together, which figure 2 shows."""
FITTED_SOURCES = {"suite", "spvvs"}
"""Controlled suites. Other models are held out from every fit, and so are adversarially fine-tuned copies."""


@dataclass(frozen=True)
class Axis:
    """A pretraining resource: its column, the unit in which fits see it, and which models vary it."""

    column: str
    scale: float
    label: str
    full_data_only: bool = False
    with_flex: bool = True


AXES = {
    "compute": Axis("pretraining_total_flops_estimate", 1e12, "Pretraining compute C (FLOPs)"),
    "samples": Axis("pretraining_n_samples", 1e2, "Pretraining samples D", with_flex=False),
    "parameters": Axis("backbone_n_params", 1e2, "Parameters N", full_data_only=True),
}

MODEL_COLUMNS = [
    "model_id",
    "backbone_source",
    "backbone_arch",
    "backbone_arch_family",
    "backbone_n_params",
    "pretraining_dataset",
    "pretraining_samples_per_class",
    "pretraining_seed",
    "pretraining_n_samples",
    "pretraining_total_flops_estimate",
    "is_adversarially_finetuned",
]


def benchmark_scores(pretraining: pd.DataFrame, composite_rois: bool = True, score: str = "pearsonr_nc") -> pd.DataFrame:
    """Average subjects, then ROIs, then benchmarks.

    Args:
        pretraining: rows per model x dataset x subject x ROI (:func:`cortexscale.alignment.collect.pretraining_table`).
        composite_rois: count ROIs that hold others as ROIs of their own, as the paper does.

    Returns:
        One row per model x benchmark, and one per model with benchmark ``average``: the columns of the model,
        ``benchmark_name`` and ``score``.
    """
    rows = pretraining if composite_rois else pretraining[~pretraining["roi"].isin(COMPOSITE_ROIS)]
    keys = ["model_id", "benchmark_name"]
    by_roi = rows.groupby([*keys, "roi"], sort=False)[score].mean()
    by_benchmark = by_roi.groupby(keys, sort=False).mean().rename("score").reset_index()
    average = by_benchmark.groupby("model_id", sort=False)["score"].mean().reset_index().assign(benchmark_name="average")
    models = pretraining[MODEL_COLUMNS].drop_duplicates("model_id")
    return pd.concat([by_benchmark, average], ignore_index=True).merge(models, on="model_id", validate="many_to_one")


def axis_points(scores: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The models of an axis: those that it is fitted to, and those that are held out.

    Args:
        scores: of :func:`benchmark_scores`.

    Returns:
        The rows that have a value on this axis, with ``x``, ``family`` (flex families merged into their parents) and
        ``fitted``: whether the model belongs to a controlled suite and varies this axis.
    """
    spec = AXES[axis]
    fitted = scores["backbone_source"].isin(FITTED_SOURCES) & ~scores["is_adversarially_finetuned"].astype(bool)
    if spec.full_data_only:
        fitted &= scores["pretraining_samples_per_class"] == 0
    flex = scores["backbone_arch_family"].str.endswith("Flex")
    if not spec.with_flex:
        fitted &= ~flex
    family = scores["backbone_arch_family"].str.removesuffix("Flex")
    return scores.assign(x=scores[spec.column].astype(float), family=family, flex=flex, fitted=fitted).dropna(subset=["x"])
