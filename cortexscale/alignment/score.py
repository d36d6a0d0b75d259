"""Alignment: how well the committed layers predict held-out responses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.alignment.layer import RidgeSettings, group_means, layer_fits
from cortexscale.alignment.search import alpha_columns
from cortexscale.alignment.similarity import similarity_columns
from cortexscale.alignment.targets import Targets
from cortexscale.features.store import Store
from cortexscale.kernels.correlation import noise_normalised
from cortexscale.kernels.ridge_problem import NestedRidge


def score_alignment(
    store: Store,
    targets: Sequence[Targets],
    commitments: dict[str, dict[str, dict[str, Any]]],
    settings: RidgeSettings,
    similarity: Sequence[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit each ROI's committed layer on the whole training split and score it on the test split.

    The score of a unit is Pearson r / sqrt(noise ceiling); a ROI has the mean over its units (paper, section 3).
    Scores above 1 are kept and counted.

    Args:
        commitments: dataset -> ROI -> ``layer_name`` ..., as made by :func:`cortexscale.alignment.commit.commit_layers`.
        similarity: splits of which RSA and CKA are wanted, see :mod:`~cortexscale.alignment.similarity`; they need prepared
            responses.

    Returns:
        Rows per dataset x subject x ROI with the published columns (``pearsonr``, ``pearsonr_nc``, ``noise_ceiling`` = mean
        sqrt(ceiling), ``layer_name``, ``rsa_c_test`` ...) and ``alpha``, ``alpha_at_edge``, ``n_units``, ``n_units_above_1``,
        ``n_train``, ``n_test``, ``margin``; and rows per dataset x subject x ROI x unit with ``pearsonr``, ``pearsonr_nc``.
    """
    rows, units = [], []
    layers = dict.fromkeys(entry["layer_name"] for rois in commitments.values() for entry in rois.values())
    for layer in layers:
        committed = [target.restricted(rois_of(commitments[target.dataset], layer)) for target in targets]
        committed = [target for target in committed if target is not None]
        fits = layer_fits(
            store, layer, committed, settings, folds="train" in similarity, test=True, predictions=len(similarity) > 0
        )
        for target, (fit, kernel) in zip(committed, fits, strict=True):
            ceiling = target.nc_percent[fit.unit]
            normalised = noise_normalised(fit.test_r, ceiling)
            place = target.groups["roi"].map(commitments[target.dataset])
            rows.append(
                target.groups.assign(
                    layer_name=layer,
                    layer_position=[entry["layer_position"] for entry in place],
                    layer_position_normalized=[entry["layer_position_normalized"] for entry in place],
                    cv_score=[entry["score"] for entry in place],
                    margin=[entry["margin"] for entry in place],
                    pearsonr=group_means(fit.test_r, fit.group),
                    pearsonr_nc=group_means(normalised, fit.group),
                    noise_ceiling=group_means(np.sqrt(ceiling / 100), fit.group),
                    n_units_above_1=np.bincount(fit.group, normalised > 1).astype(int),
                    **similarity_columns(target, kernel, fit, similarity),
                    **alpha_columns(fit, settings),
                    n_train=len(target.train_rows),
                    n_test=len(target.test_rows),
                )
            )
            units.append(unit_table(target, fit, normalised))
    return pd.concat(rows, ignore_index=True), pd.concat(units, ignore_index=True)


def rois_of(commitment: dict[str, dict[str, Any]], layer: str) -> list[str]:
    """ROIs that are committed to a layer."""
    return [roi for roi, entry in commitment.items() if entry["layer_name"] == layer]


def unit_table(target: Targets, fit: NestedRidge, normalised: np.ndarray) -> pd.DataFrame:
    """One row per dataset x subject x ROI x unit."""
    return pd.DataFrame(
        {
            "benchmark_name": target.dataset,
            "subject": target.groups["subject"].to_numpy()[fit.group],
            "roi": target.groups["roi"].to_numpy()[fit.group],
            "unit": target.unit_names[fit.unit],
            "pearsonr": fit.test_r,
            "pearsonr_nc": normalised,
        }
    )
