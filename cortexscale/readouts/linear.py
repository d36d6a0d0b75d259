"""The linear readout, which is ridge on all features of a layer. All percentages of training stimuli share a Gram matrix."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cortexscale.alignment.layer import chosen_penalties
from cortexscale.alignment.score_rows import Predictions, penalty_columns, score_rows
from cortexscale.alignment.targets import Targets
from cortexscale.catalogue.readouts import LINEAR
from cortexscale.kernels.bordered_inverse import dual_coefficients
from cortexscale.kernels.nested_ridge import nested_ridge
from cortexscale.kernels.responses import Responses
from cortexscale.readouts.trials import subset
from cortexscale.study.ridge import Ridge


@dataclass(frozen=True)
class LinearFit:
    """Ridge readouts of all subjects and ROIs of one Targets, fitted to the same training stimuli.

    A pair is a group (subject x ROI) with one of its units. Pairs have the order of ``np.nonzero(targets.members)``.

    Attributes:
        chosen: positions of the fitted stimuli among the training stimuli, ascending.
        group, unit: (pairs,) group and unit of each pair.
        alpha: (pairs,) penalty. It is the same for all units of a group unless ``alpha_per`` of the ridge is ``unit``.
        alpha_at_edge: (pairs,) whether the penalty is the smallest or largest of the grid.
        test_r: (pairs,) Pearson r on the test stimuli.
        test: (m, pairs) predicted responses to the test stimuli.
    """

    percent: float
    seed: int
    chosen: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    alpha: np.ndarray
    alpha_at_edge: np.ndarray
    test_r: np.ndarray
    test: np.ndarray


def linear_fits(
    K: Tensor, targets: Targets, percents: Sequence[float], seeds: Sequence[int], ridge: Ridge
) -> Iterator[LinearFit]:
    """Fit readouts of a layer to several percentages of the training stimuli. Subsets with the same seed are nested.

    The cost grows with the cube of the number of stimuli, so the nine percentages of the paper cost only 1.5 times as much as the
    largest. A subset of all stimuli is the same for every seed, and is fitted once. K is the Gram matrix (n + m, n + m) of the
    training stimuli followed by the test stimuli; it can be centred by any mean.
    """
    n, of_all = len(targets.train_rows), dict[str, np.ndarray]()
    for seed in seeds:
        for percent in percents:
            chosen = subset(n, percent, seed)
            fitted = of_all if len(chosen) == n and of_all else _fitted(K, targets, chosen, ridge)
            of_all = fitted if len(chosen) == n else of_all
            yield LinearFit(percent, seed, chosen, **fitted)


def _fitted(K: Tensor, targets: Targets, chosen: np.ndarray, ridge: Ridge) -> dict[str, np.ndarray]:
    """Fit readouts to the stimuli ``chosen``. Return the fields of a LinearFit that follow ``chosen``."""
    n, rows = len(targets.train_rows), torch.as_tensor(chosen, device=K.device)
    fit = nested_ridge(
        K[rows[:, None], rows],
        Responses(targets.train[chosen], targets.members, targets.test),
        ridge.alphas.values,
        [],
        cross=K[n:, rows],
        search=ridge.alphas.search,
        alpha_per="unit" if ridge.alpha_per == "unit" else "group",
        predictions=True,
    )
    assert fit.test_r is not None and fit.test is not None, "predictions of test responses were asked for"
    alpha, at_edge = chosen_penalties(fit, ridge)
    fitted = {"group": fit.group, "unit": fit.unit, "alpha": alpha, "alpha_at_edge": at_edge}
    return fitted | {"test_r": fit.test_r, "test": fit.test}


def linear_scores(fit: LinearFit, targets: Targets, layer: str, width: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the fits of a layer with ``width`` features on the test split. A readout has ``width`` + 1 parameters per unit.

    Returns:
        The tables of :func:`cortexscale.readouts.mapping.score_readouts`, with ``alpha`` and ``alpha_at_edge``.
    """
    columns = {
        "probe_type": LINEAR,
        "layer_name": layer,
        "fitting_samples": len(fit.chosen),
        "n_params": (width + 1) * targets.groups["n_units"],
        **penalty_columns(fit.alpha, fit.alpha_at_edge, fit.group),
    }
    predictions = Predictions(fit.test_r, fit.test.astype(np.float64))
    return score_rows(targets, predictions, columns, splits=["test"] if targets.prepared else [])


def linear_weights(
    K: Tensor, slabs: Iterable[np.ndarray], targets: Targets, fit: LinearFit, group: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute float32 weights (units, features) and intercepts (units,) of one readout, for predictions of new stimuli.

    ``slabs`` has the features of the training stimuli, in slabs of columns. K was made from the same features.
    """
    rows = torch.as_tensor(fit.chosen, device=K.device)
    pairs, within = fit.group == group, K[rows[:, None], rows]
    responses = torch.from_numpy(targets.train[np.ix_(fit.chosen, fit.unit[pairs])])
    C, mean = dual_coefficients(within, responses.to(within), fit.alpha[pairs])
    weights, intercept = [], mean
    for slab in slabs:
        X = torch.from_numpy(slab[fit.chosen]).to(C)
        part = C.T @ (X - X.mean(dim=0))  # the columns of C sum to 0, so centring X changes only the rounding
        intercept = intercept - part @ X.mean(dim=0)
        weights.append(part.float().cpu().numpy())
    return np.concatenate(weights, axis=1), intercept.float().cpu().numpy()
