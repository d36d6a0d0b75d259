"""Alignment: how well the committed layers predict held-out responses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.alignment.layer import RidgeSettings, chosen_alphas, group_means, layer_path, unit_scores
from cortexscale.alignment.search import alpha_columns
from cortexscale.alignment.targets import Targets
from cortexscale.features.store import FeatureStore


def score_alignment(
    store: FeatureStore, targets: Sequence[Targets], commitment: dict[str, dict[str, Any]], settings: RidgeSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit each ROI's committed layer on the whole training split and score it on the test split.

    The score of a unit is Pearson r / sqrt(noise ceiling); a ROI has the mean over its units (paper, section 3).
    Scores above 1 are kept and counted.

    Args:
        commitment: ROI -> ``layer_name`` ..., as made by :func:`cortexscale.alignment.commit.commit_layers`.

    Returns:
        Rows per subject x ROI with the published columns (``pearsonr``, ``pearsonr_nc``, ``noise_ceiling`` = mean
        sqrt(ceiling), ``layer_name`` ...) and ``alpha``, ``alpha_at_edge``, ``n_units``, ``n_units_above_1``,
        ``n_train``, ``n_test``, ``margin``; and rows per subject x ROI x unit with ``pearsonr``, ``pearsonr_nc``.
    """
    rows, units = [], []
    for layer in dict.fromkeys(entry["layer_name"] for entry in commitment.values()):
        rois = [roi for roi, entry in commitment.items() if entry["layer_name"] == layer]
        for target in (restrict(target, rois) for target in targets):
            if target is None:
                continue
            path = layer_path(store, layer, target, settings, folds=False, test=True)
            best = chosen_alphas(path, target, settings)[-1]
            raw, normalised = unit_scores(path.test_r, best, target.nc_percent)
            place = target.groups["roi"].map(commitment)
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


def restrict(target: Targets, rois: Sequence[str]) -> Targets | None:
    """Targets of some ROIs only; None where no subject has them."""
    wanted = target.groups["roi"].isin(rois).to_numpy()
    if not wanted.any():
        return None
    units = target.members[wanted].any(axis=0)
    return Targets(
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
    """One row per subject x ROI x unit."""
    group, unit = np.nonzero(target.members)
    return pd.DataFrame(
        {
            "subject": target.groups["subject"].to_numpy()[group],
            "roi": target.groups["roi"].to_numpy()[group],
            "unit": target.unit_names[unit],
            "pearsonr": raw[group, unit],
            "pearsonr_nc": normalised[group, unit],
        }
    )
