"""Nested cross-validated ridge for groups of units: choose the penalty of each group, and correlate its predictions.

Two searches find the penalty with the smallest leave-one-out error. Both use one matrix inverse per penalty alpha
(:mod:`~cortexscale.kernels.bordered_inverse`), which all folds, subjects and ROIs share:

* ``full`` evaluates every unit at every alpha.
* ``adaptive`` evaluates every group exactly, but only at the alphas around the minimum of its error. A first guess comes from
  every second stimulus and random combinations of the units, at an eighth of the cost of the inverses. From one alpha below the
  guess, the search goes up the grid until the error has risen in every fold, and then down in the same way. The result is that of
  ``full`` whenever the error has a single minimum.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.bordered_inverse import BorderedInverse
from cortexscale.kernels.gram import centred
from cortexscale.kernels.responses import Responses
from cortexscale.kernels.ridge_problem import BestAlphas, NestedRidge, RidgeProblem

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
    """Choose alphas by leave-one-out error within each training set, and correlate the predictions at these alphas.

    With k folds of n stimuli, an inverse costs n^3 (1 + 1/k) operations, and evaluating T units with it 4 n^2 T. ``full`` does
    both at all A alphas. ``adaptive`` inverts fewer than 2 A times, usually 5, evaluates each unit 3 to 4 times, and spends A n^3
    / 8 on the guess. Memory beyond the arguments is 3 n^2 values, two tables of (k + 1) P values for the P pairs of a group and
    one of its units, and blocks of units; predictions take 2 m values per pair, and 2 n more with folds. In float32, r is right
    to 1e-3 for alphas between 1e-4 and 1e2 times the largest eigenvalue of K, and to 1e-5 well within that range.

    Args:
        K: (n, n) Gram matrix of the training stimuli, in any centring. Its dtype and device are those of the arithmetic.
        alphas: grid of penalties above 0, ascending.
        folds: index arrays that partition the n stimuli; empty for no cross-validation.
        cross: (m, n) Gram matrix between test and training stimuli, with features centred as in K.
        alpha_per: ``group`` chooses one alpha per group, by the error averaged over its units. ``unit`` chooses one per unit,
            which needs the full search: the error of a single unit is too noisy to have one minimum.
        units_per_block: units that are handled at a time; by default as many as the device holds.
    """
    grid = _checked_alphas(alphas)
    if search not in SEARCHES or alpha_per not in ("group", "unit"):
        raise ValueError(f"search {search!r} of an alpha per {alpha_per!r}; use one of {', '.join(SEARCHES)}, and group or unit")
    if search == "adaptive" and alpha_per == "unit":
        raise ValueError("an alpha per unit needs the full grid of alphas: choose the search `full`")
    problem = RidgeProblem(K, responses, folds, cross, units_per_block, predictions)
    best = BestAlphas(problem, alpha_per)
    n_alphas, n_choices = len(grid), best.error.shape[1]
    wanted, seen = (np.zeros((n_alphas, n_choices), dtype=bool) for _ in range(2))

    def evaluate(a: int) -> None:
        choices = np.flatnonzero(wanted[a] & ~seen[a])
        if len(choices):
            problem.evaluate(a, grid[a], choices, best)
            seen[a, choices] = True

    if search == "full":
        wanted[:] = True
        for a in range(n_alphas):
            evaluate(a)
    else:
        wanted[np.maximum(guessed_alphas(K, responses, grid) - 1, 0), np.arange(n_choices)] = True
        for a in range(n_alphas):
            evaluate(a)
            if a + 1 < n_alphas:
                wanted[a + 1] |= best.is_at(a)
        for a in reversed(range(n_alphas - 1)):
            wanted[a] |= best.is_at(a + 1)
            evaluate(a)
    return best.result()


def guessed_alphas(K: Tensor, responses: Responses, alphas: Sequence[float] | np.ndarray) -> np.ndarray:
    """Guess the best alpha of each of G groups from a sketch of its units on every second stimulus. Returns indices (G,)."""
    Kc = centred(K[::2, ::2])
    sketches = [responses.sketch(group, Kc, slice(None, None, 2)) for group in range(len(responses.members))]
    Z = torch.cat(sketches, dim=1)
    bounds = np.cumsum([0, *(sketch.shape[1] for sketch in sketches)])[:-1]
    errors = []
    for alpha in alphas:
        inverse = BorderedInverse(alpha, Kc, [])
        errors.append(np.add.reduceat(inverse.errors(inverse.B @ Z, [])[-1].cpu().numpy(), bounds))
    return np.argmin(errors, axis=0)


def _checked_alphas(alphas: Sequence[float]) -> np.ndarray:
    grid = np.asarray(alphas, dtype=np.float64)
    if not (grid > 0).all():
        raise ValueError(f"alphas must be above 0; got {grid.min():g}")
    if not (np.diff(grid) > 0).all():
        raise ValueError(f"alphas must ascend; got {', '.join(f'{alpha:g}' for alpha in grid)}")
    return grid
