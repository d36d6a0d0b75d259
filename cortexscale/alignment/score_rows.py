"""Rows of result tables: the scores of one fit per subject x ROI, and per unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.alignment.layer import group_means
from cortexscale.alignment.similarity import SplitName, similarity_columns
from cortexscale.alignment.targets import Targets
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.kernels.correlation import noise_normalised
from cortexscale.kernels.gram import GramMatrix


@dataclass(frozen=True)
class Predictions:
    """Predicted responses for the P pairs of a group (subject x ROI) and one of its units, as in
    ``np.nonzero(targets.members)``.

    Attributes:
        test_r: (P,) Pearson r on the test stimuli.
        test: (m, P) predicted responses to the test stimuli; None where they were not kept.
        heldout: (n, P) responses to the training stimuli, each predicted from the other folds; None likewise.
        others: metric -> (P,) Pearson r on the test stimuli of other predictions.
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
    """Score the predictions of a fit.

    The score of a unit is Pearson r / sqrt(noise ceiling); a ROI has the mean over its units (paper, section 3). Scores above 1
    are kept and counted.

    Args:
        columns: what else is known of the fit: a value for all rows per subject x ROI, or one for each.
        splits: ``train`` and ``test``, of which RSA and CKA are wanted; they need prepared responses.
        kernel: of the training stimuli followed by the test stimuli, for RSA and CKA of the features themselves.

    Returns:
        Rows per subject x ROI: ``benchmark_name``, ``subject``, ``roi``, ``n_units``, ``columns``, ``pearsonr``,
            ``pearsonr_nc``, ``noise_ceiling`` (mean square root of the ceiling), ``n_units_above_1``, the columns of
            :func:`~cortexscale.alignment.similarity.similarity_columns`, and ``n_test``. Rows per subject x ROI x unit:
            ``benchmark_name``, ``subject``, ``roi``, ``unit``, ``pearsonr``, ``pearsonr_nc``.
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
        n_units_above_1=np.bincount(group, units[ALIGNMENT] > 1).astype(int),
        **similarity_columns(target, {"train": predicted.heldout, "test": predicted.test}, splits, kernel),
        n_test=len(target.test_rows),
    )
    return rows, units


def penalty_columns(alpha: np.ndarray, at_edge: np.ndarray, group: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of ridge fits, a value per group, from the results (P,) of :func:`cortexscale.alignment.layer.chosen_penalties`.

    ``alpha`` is the geometric mean over the units of the group; ``alpha_at_edge`` is the fraction of its units whose penalty is
    an end of the grid.
    """
    return {"alpha": np.exp(group_means(np.log(alpha), group)), "alpha_at_edge": group_means(at_edge.astype(float), group)}
