"""The pretraining axes: alignment against compute, samples and parameters (paper, sections 3 and 4.1)."""

from dataclasses import dataclass

import pandas as pd

COMPOSITE_ROIS = {"whole_brain", "nsdgeneral", "occipital_parietal"}
ALL = "all"
"""The family of a fit to all families together, which figure 2 shows."""
FITTED_SOURCES = {"suite", "spvvs"}
"""Controlled suites. Other models are held out from every fit, and so are self-supervised ones and adversarial copies."""


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
    "is_selfsupervised_learning",
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
    models = pretraining[MODEL_COLUMNS].drop_duplicates("model_id")
    rows = chosen_rois(pretraining, composite_rois)
    return hierarchical_mean(rows, "model_id", score).merge(models, on="model_id", validate="many_to_one")


def chosen_rois(rows: pd.DataFrame, composite_rois: bool) -> pd.DataFrame:
    """All rows, or those of ROIs that hold no others."""
    return rows if composite_rois else rows[~rows["roi"].isin(COMPOSITE_ROIS)]


def hierarchical_mean(rows: pd.DataFrame, key: str, score: str = "pearsonr_nc") -> pd.DataFrame:
    """Average subjects, then ROIs, then benchmarks, all with equal weights.

    Args:
        rows: per ``key`` x dataset x subject x ROI.

    Returns:
        ``key``, ``benchmark_name``, ``score``: a row per benchmark, and one with benchmark ``average`` for every ``key``.
    """
    keys = [key, "benchmark_name"]
    by_roi = rows.groupby([*keys, "roi"], sort=False)[score].mean()
    by_benchmark = by_roi.groupby(keys, sort=False).mean().rename("score").reset_index()
    average = by_benchmark.groupby(key, sort=False)["score"].mean().reset_index().assign(benchmark_name="average")
    return pd.concat([by_benchmark, average], ignore_index=True)


def axis_points(scores: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The models of an axis: those that it is fitted to, and those that are held out.

    Args:
        scores: of :func:`benchmark_scores`.

    Returns:
        The rows that have a score and a value on this axis, with ``x``, ``family`` (flex families merged into their parents) and
        ``fitted``: whether the model belongs to a controlled suite and varies this axis.
    """
    spec = AXES[axis]
    fitted = scores["backbone_source"].isin(FITTED_SOURCES)
    for other in ("is_selfsupervised_learning", "is_adversarially_finetuned"):
        fitted &= ~scores[other].eq(True)
    if spec.full_data_only:
        fitted &= scores["pretraining_samples_per_class"] == 0
    flex = scores["backbone_arch_family"].str.endswith("Flex")
    if not spec.with_flex:
        fitted &= ~flex
    family = scores["backbone_arch_family"].str.removesuffix("Flex")
    points = scores.assign(x=scores[spec.column].astype(float), family=family, flex=flex, fitted=fitted)
    return points.dropna(subset=["x", "score"])
