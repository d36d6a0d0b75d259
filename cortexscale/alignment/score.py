"""Alignment: how well the committed layers predict held-out responses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.alignment.layer import RidgeSettings, chosen_alphas, group_means, layer_paths, unit_scores
from cortexscale.alignment.search import alpha_columns
from cortexscale.alignment.targets import Targets
from cortexscale.features.store import FeatureStore


def score_alignment(
    store: FeatureStore,
    targets: Sequence[Targets],
    commitments: dict[str, dict[str, dict[str, Any]]],
    settings: RidgeSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit each ROI's committed layer on the whole training split and score it on the test split.

    The score of a unit is Pearson r / sqrt(noise ceiling); a ROI has the mean over its units (paper, section 3).
    Scores above 1 are kept and counted.

    Args:
        commitments: dataset -> ROI -> ``layer_name`` ..., as made by :func:`cortexscale.alignment.commit.commit_layers`.

    Returns:
        Rows per dataset x subject x ROI with the published columns (``pearsonr``, ``pearsonr_nc``, ``noise_ceiling`` = mean
        sqrt(ceiling), ``layer_name`` ...) and ``alpha``, ``alpha_at_edge``, ``n_units``, ``n_units_above_1``,
        ``n_train``, ``n_test``, ``margin``; and rows per dataset x subject x ROI x unit with ``pearsonr``, ``pearsonr_nc``.
    """
    rows, units = [], []
    layers = dict.fromkeys(entry["layer_name"] for rois in commitments.values() for entry in rois.values())
    for layer in layers:
        committed = [restrict(target, rois_of(commitments[target.dataset], layer)) for target in targets]
        committed = [target for target in committed if target is not None]
        paths = layer_paths(store, layer, committed, settings, folds=False, test=True)
        for target, path in zip(committed, paths, strict=True):
            best = chosen_alphas(path, target, settings)[-1]
            raw, normalised = unit_scores(path.test_r, best, target.nc_percent)
            place = target.groups["roi"].map(commitments[target.dataset])
            rows.append(
                target.groups.assign(
                    layer_name=layer,
                    layer_position=[entry["layer_position"] for entry in place],
                    layer_position_normalized=[entry["layer_position_normalized"] for entry in place],
                    cv_score=[entry["score"] for entry in place],
                    margin=[entry["margin"] for entry in place],
                    pearsonr=group_means(raw, target.members),
                    pearsonr_nc=group_means(normalised, target.members),
                    noise_ceiling=group_means(np.sqrt(target.nc_percent / 100)[None, :], target.members),
                    n_units_above_1=((normalised > 1) & target.members).sum(axis=1),
                    **alpha_columns(best, target, settings),
                    n_train=len(target.train_rows),
                    n_test=len(target.test_rows),
                )
            )
            units.append(unit_table(target, raw, normalised))
    return pd.concat(rows, ignore_index=True), pd.concat(units, ignore_index=True)


def rois_of(commitment: dict[str, dict[str, Any]], layer: str) -> list[str]:
    """ROIs that are committed to a layer."""
    return [roi for roi, entry in commitment.items() if entry["layer_name"] == layer]


def restrict(target: Targets, rois: Sequence[str]) -> Targets | None:
    """Targets of some ROIs only; None where no subject has them."""
    wanted = target.groups["roi"].isin(rois).to_numpy()
    if not wanted.any():
        return None
    units = target.members[wanted].any(axis=0)
    return Targets(
        target.dataset,
        target.train_rows,
        target.test_rows,
        target.train[:, units],
        target.test[:, units],
        target.nc_percent[units],
        target.groups[wanted].reset_index(drop=True),
        target.members[wanted][:, units],
        target.unit_names[units],
    )


def unit_table(target: Targets, raw: np.ndarray, normalised: np.ndarray) -> pd.DataFrame:
    """One row per dataset x subject x ROI x unit."""
    group, unit = np.nonzero(target.members)
    return pd.DataFrame(
        {
            "benchmark_name": target.dataset,
            "subject": target.groups["subject"].to_numpy()[group],
            "roi": target.groups["roi"].to_numpy()[group],
            "unit": target.unit_names[unit],
            "pearsonr": raw[group, unit],
            "pearsonr_nc": normalised[group, unit],
        }
    )
