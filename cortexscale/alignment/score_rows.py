"""Rows of result tables: scores of one fit for each subject x ROI, and for each unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from cortexscale.alignment.layer import group_means
from cortexscale.alignment.similarity import SplitName, similarity_columns
from cortexscale.alignment.targets import Targets
from cortexscale.catalogue.metrics import ALIGNMENT, CALIBRATED, TRUE
from cortexscale.kernels.correlation import noise_normalised, pearson
from cortexscale.kernels.gram import GramMatrix
from cortexscale.kernels.perfect_model import calibrated_interval, calibrated_score, has_signal


@dataclass(frozen=True)
class Predictions:
    """Predicted responses of P pairs of a group (subject x ROI) and a unit.

    The pairs are in the order of ``np.nonzero(targets.members)``.

    ``test`` (m, P) has predictions of the test stimuli. ``heldout`` (n, P) has predictions of each fold from the other folds.
    Both are None if they were not kept. ``test_r`` is Pearson r on the test stimuli. ``others`` has Pearson r of other
    regressions, by metric.
    """

    test_r: np.ndarray
    test: np.ndarray | None = None
    heldout: np.ndarray | None = None
    others: Mapping[str, np.ndarray] = field(default_factory=dict)


def score_rows(
    target: Targets,
    predicted: Predictions,
    columns: Mapping[str, Any],
    *,
    splits: Sequence[SplitName] = (),
    kernel: GramMatrix | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute Pearson r / sqrt(noise ceiling) of each unit's predictions, and the mean over each ROI (paper, section 3).

    Scores above 1 are kept and counted. RSA and CKA on ``splits`` need prepared responses. RSA and CKA of the features also
    need the ``kernel`` of the training stimuli followed by the test stimuli. The first result has one row per subject x ROI.
    The values in ``columns`` are added to these rows. The second result has one row per subject x ROI x unit.
    ``docs/tables.md`` defines the columns.
    """
    group, unit = np.nonzero(target.members)
    ceiling = target.nc_percent[unit]
    units = target.groups.loc[group, ["benchmark_name", "subject", "roi"]].reset_index(drop=True)
    scores: dict[str, np.ndarray] = {}
    for metric, r in {"pearsonr": predicted.test_r, **predicted.others}.items():
        scores |= {metric: r, f"{metric}_nc": noise_normalised(r, ceiling)}
    units = units.assign(unit=target.unit_names[unit], **scores)
    rows = target.groups.assign(
        **columns,
        **{metric: group_means(values, group) for metric, values in scores.items()},
        noise_ceiling=group_means(np.sqrt(ceiling / 100), group),
        **_calibrated_columns(target, predicted),
        **_true_column(target, predicted),
        n_units_above_1=np.bincount(group, units[ALIGNMENT] > 1).astype(int),
        **similarity_columns(target, {"train": predicted.heldout, "test": predicted.test}, splits, kernel),
        n_test=len(target.test_rows),
    )
    return rows, units


def _true_column(target: Targets, predicted: Predictions) -> dict[str, np.ndarray]:
    """Compute the mean over units of Pearson r between predicted and noise-free responses, for simulated recordings."""
    if target.truth is None or predicted.test is None:
        return {}
    group, unit = np.nonzero(target.members)
    truth = target.truth[:, unit]
    known = np.isfinite(truth).all(axis=0)
    shown, true = (torch.from_numpy(values[:, known].astype(np.float64)) for values in (predicted.test, truth))
    r = pearson(shown, true).numpy()
    means = pd.Series(r).groupby(group[known]).mean()
    return {TRUE: means.reindex(range(len(target.groups))).to_numpy()}


def _calibrated_columns(target: Targets, predicted: Predictions) -> dict[str, np.ndarray]:
    """Compute the calibrated score of each group, and its 95 % interval if predictions of the test split were kept."""
    group, unit = np.nonzero(target.members)
    scores = np.full((len(target.groups), 3), np.nan)
    for number in range(len(scores)):
        of_group = group == number
        units = unit[of_group]
        perfect, nc_percent = target.perfect[number, units], target.nc_percent[units]
        if not has_signal(target.test[:, units], nc_percent, perfect):
            continue
        scores[number, 0] = calibrated_score(predicted.test_r[of_group], perfect, len(target.test))
        if predicted.test is not None:
            responses = predicted.test[:, of_group], target.test[:, units]
            scores[number, 1:] = calibrated_interval(*responses, nc_percent, perfect)
    return dict(zip((CALIBRATED, f"{CALIBRATED}_low", f"{CALIBRATED}_high"), scores.T, strict=True))


def penalty_columns(alpha: np.ndarray, at_edge: np.ndarray, group: np.ndarray) -> dict[str, np.ndarray]:
    """Return table columns with one value per group, from the results of :func:`cortexscale.alignment.layer.chosen_penalties`.

    ``alpha`` is the geometric mean of the penalties. ``alpha_at_edge`` is the fraction of penalties at an end of the grid.
    """
    return {"alpha": np.exp(group_means(np.log(alpha), group)), "alpha_at_edge": group_means(at_edge.astype(float), group)}
