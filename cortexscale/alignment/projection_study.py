"""Projection study: scores of projected features beside those of all activations (paper, appendix C)."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import Targets
from cortexscale.alignment.unprojected import Commitments, at_layers
from cortexscale.features.projected import project_activations
from cortexscale.features.store import FeatureStore

log = logging.getLogger(__name__)

COLUMNS = (
    *("benchmark_name", "subject", "roi", "layer_name", "layer_width", "dimensions", "seed"),
    *("pearsonr", "pearsonr_nc", "noise_ceiling", "alpha", "alpha_at_edge", "n_units", "n_train", "n_test"),
)


def score_projections(
    activations: Iterable[FeatureStore],
    projections: Sequence[dict[str, Any]],
    targets: Sequence[Targets],
    commitments: Commitments,
    settings: RidgeSettings,
    scratch: Path,
) -> pd.DataFrame:
    """Score the committed layers on all their activations, and through each projection.

    Args:
        activations: stores of all activations, with rows as in the stimulus table. Each committed layer is in one of them.
        projections: ``family``, ``dimensions`` and ``seed`` of each projection.
        targets, commitments, settings: as in :func:`~cortexscale.alignment.score.score_alignment`.
        scratch: temporary file of projected features.

    Returns:
        Rows per projection x dataset x subject x ROI: ``COLUMNS``. ``layer_width`` is the number of activations. ``dimensions``
        and ``seed`` are empty for all activations. A layer that is not wider than ``dimensions`` is not projected.
    """
    tables = []
    for whole in activations:
        committed = at_layers(commitments, whole.layers)
        for projection in ({"dimensions": None, "seed": None}, *projections):
            projected = projection["dimensions"] is not None
            table, _ = score_alignment(
                project_activations(whole, scratch, projection) if projected else whole, targets, committed, settings
            )
            scratch.unlink(missing_ok=True)
            place = {key: pd.array([projection[key]] * len(table), dtype="Int64") for key in ("dimensions", "seed")}
            tables.append(table.assign(layer_width=table["layer_name"].map(whole.width), **place)[list(COLUMNS)])
            dimensions = projection["dimensions"] if projected else "all"
            log.info("%s dimensions: mean score %.3f at %s", dimensions, table["pearsonr_nc"].mean(), ", ".join(whole.layers))
    return pd.concat(tables, ignore_index=True)
