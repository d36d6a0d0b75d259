"""Nested cross-validation of ridge. It chooses the penalty of each group of units, and correlates predictions with responses.

There are two ways to find the penalty with the smallest leave-one-out error. Both use one matrix inverse per penalty alpha
(:mod:`~cortexscale.kernels.bordered_inverse`), and all folds, subjects and ROIs share it:

* ``full`` evaluates every unit at every alpha.
* ``adaptive`` evaluates every group only at alphas around the minima of its error. It first guesses the curve of the error from
  half of the stimuli and random combinations of units, at an eighth of the cost of the inverses. The curve may have several
  valleys if a few features are much larger than the others, and both the large and the small features predict the responses. From
  one alpha below the bottom of every valley, the search goes up the grid until the error has risen in every fold, and then goes
  down in the same way. The result is the same as for ``full`` unless the error has a valley that the guess does not show.
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
_FEW = 400
"""Smallest number of stimuli of which half show every valley of the error. If there are fewer stimuli, all are used, because an
inverse takes milliseconds.
"""


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
    """Choose alphas by leave-one-out error within each training set, and correlate predictions at these alphas with responses.

    With k folds of n stimuli, an inverse costs n^3 (1 + 1/k) operations, and evaluating T units with it costs 4 n^2 T. ``full``
    does both at all A alphas. ``adaptive`` makes fewer than 2 A inverses. If the errors have one valley, it usually makes 5
    inverses and evaluates each unit 3 to 4 times. Its guess costs A n^3 / 8 operations, or A n^3 for few stimuli. Besides the
    arguments, memory holds 3 n^2 values, blocks of units, and two tables of (k + 1) P values for the P pairs of a group and a
    unit. Predictions take 2 m values per pair, and 2 n more with folds. In float32, the error of r is at most 1e-3 for alphas
    between 1e-4 and 1e2 times the largest eigenvalue of K, and 1e-5 well within that range.

    Args:
        K: (n, n) Gram matrix of the training stimuli, in any centring. Computations use its dtype and device.
        alphas: grid of penalties above 0, ascending.
        folds: index arrays that partition the n stimuli. If empty, there is no cross-validation.
        cross: (m, n) Gram matrix between test and training stimuli. Its features are centred as in K.
        alpha_per: ``group`` chooses one alpha per group, by the mean error of its units. ``unit`` chooses one alpha per unit and
            needs the full search, because the error of a single unit is noisy and can have several minima.
        units_per_block: number of units that are evaluated at a time; by default as many as the device holds.
    """
    grid = _checked_alphas(alphas)
    if search not in SEARCHES or alpha_per not in ("group", "unit"):
        raise ValueError(f"search {search!r} of an alpha per {alpha_per!r}; use one of {', '.join(SEARCHES)}, and group or unit")
    if search == "adaptive" and alpha_per == "unit":
        raise ValueError("an alpha per unit needs the full grid of alphas: choose the search `full`")
    problem = RidgeProblem(K, responses, folds, cross, units_per_block, predictions)
    best = BestAlphas(problem, alpha_per)
    n_alphas, n_choices = len(grid), best.error.shape[1]
    seen = np.zeros((n_alphas, n_choices), dtype=bool)
    # The last two rows stay infinite. Row 0 has them as its neighbours, because they are also rows -1 and -2.
    error = np.full((n_alphas + 2, *best.error.shape), np.inf)

    def evaluate(a: int, wanted: np.ndarray) -> None:
        choices = np.flatnonzero(wanted & ~seen[a])
        if len(choices):
            error[a][:, choices] = problem.evaluate(a, grid[a], choices, best)
            seen[a, choices] = True

    if search == "full":
        for a in range(n_alphas):
            evaluate(a, np.ones(n_choices, dtype=bool))
    else:
        bottom, group = np.nonzero(valleys(guessed_errors(K, responses, grid)))
        starts = np.zeros_like(seen)
        starts[np.maximum(bottom - 1, 0), group] = True
        for a in range(n_alphas):
            evaluate(a, starts[a] | (error[a - 1] < error[a - 2]).any(axis=0))
        for a in reversed(range(n_alphas - 1)):
            evaluate(a, seen[a + 1] & (error[a + 1] <= error[a + 2]).any(axis=0))
    return best.result()


def guessed_errors(K: Tensor, responses: Responses, alphas: Sequence[float] | np.ndarray) -> np.ndarray:
    """Guess the leave-one-out error of each group at each alpha, (alphas, groups), on a scale that differs between groups.

    The guess uses every second stimulus, or every stimulus if there are fewer than ``_FEW``, and random combinations of the units
    of a group (:meth:`Responses.sketch`).
    """
    some = slice(None, None, 1 if len(K) < _FEW else 2)
    Kc = centred(K[some, some])
    sketches = [responses.sketch(group, Kc, some) for group in range(len(responses.members))]
    Z = torch.cat(sketches, dim=1)
    bounds = np.cumsum([0, *(sketch.shape[1] for sketch in sketches)])[:-1]
    errors = []
    for alpha in alphas:
        inverse = BorderedInverse(alpha, Kc, [])
        errors.append(np.add.reduceat(inverse.errors(inverse.B @ Z, [])[-1].cpu().numpy(), bounds))
    return np.array(errors)


def valleys(curves: np.ndarray) -> np.ndarray:
    """Tell where curves (alphas, groups) have a local minimum. The minimum of a flat valley is its first alpha."""
    rim = np.full_like(curves[:1], np.inf)
    walled = np.concatenate([rim, curves, rim])
    falls = walled[1:] < walled[:-1]
    return falls[:-1] & ~falls[1:]


def _checked_alphas(alphas: Sequence[float]) -> np.ndarray:
    grid = np.asarray(alphas, dtype=np.float64)
    if not (grid > 0).all():
        raise ValueError(f"alphas must be above 0; got {grid.min():g}")
    if not (np.diff(grid) > 0).all():
        raise ValueError(f"alphas must ascend; got {', '.join(f'{alpha:g}' for alpha in grid)}")
    return grid
