"""Scores of all activations of a model, without projection: extracted, scored a few layers at a time, and dropped."""

from collections.abc import Iterable, Sequence

import pandas as pd

from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import Targets
from cortexscale.commitments import Commitments
from cortexscale.features.store import FeatureStore
from cortexscale.study.ridge import Ridge


def score_unprojected(
    activations: Iterable[FeatureStore],
    targets: Sequence[Targets],
    commitments: Commitments,
    ridge: Ridge,
    similarity: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all activations in place of features, as :func:`~cortexscale.alignment.score.score_alignment` does."""
    tables = [score_alignment(whole, targets, commitments.at_layers(whole.layers), ridge, similarity) for whole in activations]
    rows, units = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return rows, units
