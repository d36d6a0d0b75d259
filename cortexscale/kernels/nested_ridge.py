"""Nested cross-validated ridge for groups of units: the penalty of each group, and the correlations it earns.

Two ways to find the penalty with the least leave-one-out error, both from one inverse per alpha over all stimuli
(:mod:`~cortexscale.kernels.bordered_inverse`), shared by all folds, subjects and ROIs:

* ``full``: every unit at every alpha.
* ``adaptive``: every group exactly at the few alphas around its minimum. A guess comes from every second stimulus and random
  combinations of the units, at an eighth of the cost of the inverses. From one alpha below the guess the group walks up
  the grid until the error of every fold has risen, then down likewise. So each minimum has been seen to be lower than
  both its neighbours, and the result is that of ``full`` whenever the curve has a single valley.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.bordered_inverse import BorderedInverse
from cortexscale.kernels.gram import centred
from cortexscale.kernels.responses import Responses
from cortexscale.kernels.ridge_problem import Best, NestedRidge, Problem

SEARCHES = ("adaptive", "full")


def nested_ridge(
    K: Tensor,
    responses: Responses,
    alphas: Sequence[float],
    folds: Sequence[np.ndarray],
    *,
    cross: Tensor | None = None,
    search: str = "adaptive",
    alpha_per: str = "group",
    predictions: bool = False,
    units_per_block: int | None = None,
) -> NestedRidge:
    """Choose alphas by leave-one-out error within each training set, and correlate predictions at the chosen ones.

    Cost for n stimuli and T distinct units: 1.2 n^3 + 4 n^2 T operations per alpha that is inverted; ``full`` inverts all A,
    ``adaptive`` fewer than 2 A, usually 5, with 3 to 4 evaluations of each unit, and A n^3 / 8 for the guess. Memory beyond
    the arguments: 3 n^2 values, two tables of (k + 1) P values, and blocks of units. In float32, r is right to 1e-3 for
    alphas between 1e-4 and 1e2 times the largest eigenvalue of K (to 1e-5 well inside); elsewhere, and where float64 costs
    little, use float64.

    Args:
        K: (n, n) Gram matrix of the training stimuli, in any centring. Its dtype and device are those of the arithmetic.
        responses: to the same stimuli; may lie on another device.
        alphas: the ascending grid, above 0.
        folds: index arrays that partition the n stimuli (:func:`~cortexscale.kernels.folds.k_folds`), or none at all.
        cross: (m, n) Gram matrix between test and training stimuli, features centred as in K.
        search: one of ``SEARCHES``.
        alpha_per: ``group``, by the error averaged over its units, or ``unit``, which needs the full grid: the curve of a
            single unit is too noisy to have one valley.
        predictions: keep predicted responses; twice m values per pair, and with folds twice n more.
        units_per_block: units handled at a time; by default what fits the device. Halved where memory runs out.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, folds that are no partition or leave fewer than
            two training stimuli, or an alpha too small for the precision of K.
    """
    alphas = _checked_alphas(alphas)
    if search not in SEARCHES or alpha_per not in ("group", "unit"):
        raise ValueError(f"search {search!r} of an alpha per {alpha_per!r}; known are {', '.join(SEARCHES)} and group, unit")
    if search == "adaptive" and alpha_per == "unit":
        raise ValueError("an alpha per unit needs the full grid of alphas: choose the search `full`")
    problem = Problem.of(K, responses, folds, cross, units_per_block, predictions)
    best = Best.none_yet(problem, responses.members, alpha_per)
    n_alphas, n_choices = len(alphas), best.error.shape[1]
    wanted, seen = (np.zeros((n_alphas, n_choices), dtype=bool) for _ in range(2))

    def look_at(a: int) -> None:
        choices = np.flatnonzero(wanted[a] & ~seen[a])
        if len(choices):
            problem.evaluate(a, alphas[a], choices, best)
            seen[a, choices] = True

    if search == "full":
        wanted[:] = True
        for a in range(n_alphas):
            look_at(a)
    else:
        wanted[np.maximum(guess(K, responses, alphas) - 1, 0), np.arange(n_choices)] = True
        for a in range(n_alphas):
            look_at(a)
            if a + 1 < n_alphas:
                wanted[a + 1] |= best.is_at(a)
        for a in reversed(range(n_alphas - 1)):
            wanted[a] |= best.is_at(a + 1)
            look_at(a)
    return best.result(problem)


def guess(K: Tensor, responses: Responses, alphas: Sequence[float]) -> np.ndarray:
    """(G,) index of the alpha that is best for a sketch of each group and every second stimulus."""
    Kc = centred(K[::2, ::2])
    sketches = [responses.sketch(group, Kc, slice(None, None, 2)) for group in range(len(responses.members))]
    Z = torch.cat(sketches, dim=1)
    bounds = np.cumsum([0, *(sketch.shape[1] for sketch in sketches)])[:-1]
    errors = []
    for alpha in alphas:
        inverse = BorderedInverse.at(alpha, Kc, [])
        errors.append(np.add.reduceat(inverse.errors(inverse.B @ Z, [])[-1].cpu().numpy(), bounds))
    return np.argmin(errors, axis=0)


def _checked_alphas(alphas: Sequence[float]) -> np.ndarray:
    alphas = np.asarray(alphas, dtype=np.float64)
    if not (alphas > 0).all():
        raise ValueError(f"alphas must be above 0; got {alphas.min():g}")
    if not (np.diff(alphas) > 0).all():
        raise ValueError(f"alphas must ascend; got {', '.join(f'{alpha:g}' for alpha in alphas)}")
    return alphas
