"""Scores of all activations of a model, without projection: extracted, scored a few layers at a time, and dropped."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import Targets
from cortexscale.features.store import FeatureStore

Commitments = dict[str, dict[str, dict[str, Any]]]


def score_unprojected(
    activations: Iterable[FeatureStore],
    targets: Sequence[Targets],
    commitments: Commitments,
    settings: RidgeSettings,
    similarity: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all activations in place of features, as :func:`~cortexscale.alignment.score.score_alignment` does.

    Args:
        activations: stores of all activations, with rows as in the stimulus table. Each committed layer is in one of them.
    """
    tables = [
        score_alignment(whole, targets, at_layers(commitments, whole.layers), settings, similarity) for whole in activations
    ]
    rows, units = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return rows, units


def at_layers(commitments: Commitments, layers: Collection[str]) -> Commitments:
    """Select the ROIs that are committed to one of some layers."""
    return {
        dataset: {roi: entry for roi, entry in rois.items() if entry["layer_name"] in layers}
        for dataset, rois in commitments.items()
    }
