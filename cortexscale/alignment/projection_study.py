"""Projection study: comparison of the scores of projected features with those of all activations (paper, appendix C)."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import Targets
from cortexscale.commitments import Commitments
from cortexscale.features.extract import project_activations
from cortexscale.features.store import FeatureStore
from cortexscale.study.features import Projection
from cortexscale.study.ridge import Ridge

log = logging.getLogger(__name__)

COLUMNS = (
    *("benchmark_name", "subject", "roi", "layer_name", "layer_width", "dimensions", "seed"),
    *("pearsonr", "pearsonr_nc", "noise_ceiling", "alpha", "alpha_at_edge", "n_units", "n_train", "n_test"),
)


def score_projections(
    activations: Iterable[FeatureStore],
    projections: Sequence[Projection],
    targets: Sequence[Targets],
    commitments: Commitments,
    ridge: Ridge,
    scratch: Path,
) -> pd.DataFrame:
    """Score the committed layers on all their activations, and on each projection. Each layer is in one of the stores.

    In the rows that score all activations, ``dimensions`` and ``seed`` are empty. A layer is not projected if it has no more
    than ``dimensions`` activations.
    """
    tables = []
    for whole in activations:
        committed = commitments.at_layers(whole.layers)
        for projection in (None, *projections):
            features = project_activations(whole, scratch, projection) if projection else whole
            table, _ = score_alignment(features, targets, committed, ridge)
            scratch.unlink(missing_ok=True)
            keys = projection.model_dump(include={"dimensions", "seed"}) if projection else dict.fromkeys(("dimensions", "seed"))
            columns = {key: pd.array([value] * len(table), dtype="Int64") for key, value in keys.items()}
            tables.append(table.assign(layer_width=table["layer_name"].map(whole.width), **columns)[list(COLUMNS)])
            how, score = f"{projection.dimensions} dimensions" if projection else "all activations", table["pearsonr_nc"].mean()
            log.info("%s: mean score %.3f at %s", how, score, ", ".join(whole.layers))
    return pd.concat(tables, ignore_index=True)
