"""Alignment scores, which measure how well the committed layers predict responses to test stimuli."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from cortexscale.alignment.layer import chosen_penalties, layer_fits
from cortexscale.alignment.score_rows import Predictions, penalty_columns, score_rows
from cortexscale.alignment.targets import Targets
from cortexscale.commitments import Commitments, rois_at
from cortexscale.features.store import FeatureStore, Store
from cortexscale.kernels.correlation import pearson
from cortexscale.kernels.pls import pls_coefficients
from cortexscale.study.experiments import Metrics
from cortexscale.study.ridge import Ridge

RIDGE_ALONE = Metrics(similarity=[])
"""The setting without RSA, CKA and PLS. The only score is then Pearson r between predicted and measured responses."""


def score_alignment(
    store: Store,
    targets: Sequence[Targets],
    commitments: Commitments,
    ridge: Ridge,
    metrics: Metrics = RIDGE_ALONE,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit ridge from each ROI's committed layer on the whole training split, and score the predictions of the test split.

    RSA and CKA need prepared responses. The results are the tables of :func:`cortexscale.alignment.score_rows.score_rows`. Their
    rows also have the committed layer, ``alpha``, ``alpha_at_edge`` and ``n_train``.
    """
    rows, units, compared = [], [], metrics.similarity
    for layer in commitments.layer_names:
        committed = [target.restricted(rois_at(commitments[target.dataset], layer)) for target in targets]
        committed = [target for target in committed if target is not None]
        fits = layer_fits(store, layer, committed, ridge, folds="train" in compared, test=True, predictions=True)
        for target, (fit, kernel) in zip(committed, fits, strict=True):
            place = target.groups["roi"].map(commitments[target.dataset])
            columns = {
                "layer_name": layer,
                "layer_position": [entry.layer_position for entry in place],
                "layer_position_normalized": [entry.layer_position_normalized for entry in place],
                "cv_score": [entry.score for entry in place],
                "margin": [entry.margin for entry in place],
                **penalty_columns(*chosen_penalties(fit, ridge), fit.group),
                "n_train": len(target.train_rows),
            }
            assert fit.test_r is not None, "test responses were given"
            others = {"pls": pls_correlations(target, kernel.K, metrics.pls_components)} if metrics.pls_components else {}
            predicted = Predictions(fit.test_r, fit.test, fit.heldout, others)
            of_target, of_units = score_rows(target, predicted, columns, splits=compared, kernel=kernel)
            rows.append(of_target)
            units.append(of_units)
    return pd.concat(rows, ignore_index=True), pd.concat(units, ignore_index=True)


def pls_correlations(target: Targets, K: Tensor, components: int) -> np.ndarray:
    """Compute Pearson r of the PLS predictions of the test stimuli, (P,) in the order of ``np.nonzero(target.members)``.

    All units in an ROI of a subject share the components. K is the kernel of the training stimuli followed by the test stimuli.
    """
    n, correlations = len(target.train_rows), []
    within = K[:n, :n]
    cross = K[n:, :n] - within.mean(dim=0)
    for members in target.members:
        units = np.flatnonzero(members)
        C, mean = pls_coefficients(within, target.train[:, units], components)
        correlations.append(pearson(cross @ C + mean, target.responses.test_responses(units, K)).cpu().numpy())
    return np.concatenate(correlations)


def score_unprojected(
    activations: Iterable[FeatureStore],
    targets: Sequence[Targets],
    commitments: Commitments,
    ridge: Ridge,
    metrics: Metrics,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score all activations in the same way as :func:`score_alignment` scores features. Each store has some of the layers."""
    tables = [score_alignment(whole, targets, commitments.at_layers(whole.layers), ridge, metrics) for whole in activations]
    rows, units = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return rows, units
