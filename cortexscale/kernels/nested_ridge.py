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
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.bordered_inverse import BorderedInverse
from cortexscale.kernels.correlation import pearson
from cortexscale.kernels.device import Blocks, units_at_a_time
from cortexscale.kernels.folds import contiguous
from cortexscale.kernels.gram import centred
from cortexscale.kernels.responses import Responses

SEARCHES = ("adaptive", "full")


@dataclass(frozen=True)
class NestedRidge:
    """Results for the P pairs of a group and one of its units, in the order of ``np.nonzero(members)``; k outer folds.

    Attributes:
        group, unit: (P,) index of each.
        chosen: (k + 1, P) index of the alpha chosen on the training stimuli of each fold; last, on all stimuli. With an alpha
            per group the same for all its units. 0 and A - 1 lie at the edge of the grid.
        loo_error: (k + 1, P) mean squared leave-one-out error at that alpha, averaged over the units that share it.
        heldout_r: (k, P) Pearson r on each fold, predicted from the others.
        test_r: (P,) Pearson r on the test stimuli, predicted from all stimuli; None without test stimuli.
    """

    group: np.ndarray
    unit: np.ndarray
    chosen: np.ndarray
    loo_error: np.ndarray
    heldout_r: np.ndarray
    test_r: np.ndarray | None


def nested_ridge(
    K: Tensor,
    responses: Responses,
    alphas: Sequence[float],
    folds: Sequence[np.ndarray],
    *,
    cross: Tensor | None = None,
    search: str = "adaptive",
    alpha_per: str = "group",
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
    problem = _Problem.of(K, responses, folds, cross, units_per_block)
    best = _Best.none_yet(problem.n_sets, responses.members, alpha_per)
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
    return best.result(with_test=cross is not None)


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


@dataclass
class _Best:
    """The best alpha so far of each choice (a group, or a unit of its own), and the correlations there.

    Attributes:
        error, chosen: (k + 1, D) of D choices.
        group, unit, choice: (P,) of each pair of a group and its unit.
        r: (k + 1, P); last, on the test stimuli.
    """

    error: np.ndarray
    chosen: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    choice: np.ndarray
    r: np.ndarray

    @classmethod
    def none_yet(cls, n_sets: int, members: np.ndarray, alpha_per: str) -> "_Best":
        group, unit = np.nonzero(members)
        choice, n_choices = (unit, members.shape[1]) if alpha_per == "unit" else (group, len(members))
        error, chosen = np.full((n_sets, n_choices), np.inf), np.full((n_sets, n_choices), -1)
        return cls(error, chosen, group, unit, choice, np.full((n_sets, len(group)), np.nan))

    def is_at(self, a: int) -> np.ndarray:
        """(D,) whether the choice of any fold stands at alpha ``a``."""
        return (self.chosen == a).any(axis=0)

    def offer(self, a: int, choices: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Take alpha ``a`` where its error (k + 1, len(choices)) is lower; of equals the smaller. Returns where, (k + 1, D)."""
        taken = np.zeros(self.error.shape, dtype=bool)
        before = self.error[:, choices]
        taken[:, choices] = (error < before) | ((error == before) & (a < self.chosen[:, choices]))
        self.error[:, choices] = np.minimum(error, before)
        self.chosen[taken] = a
        return taken

    def keep(self, taken: np.ndarray, units: np.ndarray, r: np.ndarray) -> None:
        """Note the correlations (k + 1, len(units)) of the units of those choices that took the present alpha."""
        column = np.full(self.unit.max() + 1, -1)
        column[units] = np.arange(len(units))
        column = column[self.unit]
        for f in range(len(r)):
            pairs = taken[f, self.choice] & (column >= 0)
            self.r[f, pairs] = r[f, column[pairs]]

    def result(self, *, with_test: bool) -> NestedRidge:
        if (self.chosen[:, self.choice] < 0).any():
            f, pair = np.argwhere(self.chosen[:, self.choice] < 0)[0]
            raise ValueError(
                f"the leave-one-out error of group {self.group[pair]} in training set {f} is not finite at any alpha"
            )
        chosen, error = self.chosen[:, self.choice], self.error[:, self.choice]
        return NestedRidge(self.group, self.unit, chosen, error, self.r[:-1], self.r[-1] if with_test else None)


@dataclass
class _Problem:
    """A kernel and responses with the stimuli in an order that makes every fold a slice."""

    Kc: Tensor
    responses: Responses
    rows: Tensor | slice
    folds: list[slice]
    cross: Tensor | None
    blocks: Blocks

    @classmethod
    def of(cls, K: Tensor, responses: Responses, folds, cross: Tensor | None, units_per_block: int | None) -> "_Problem":
        n = len(K)
        _check_kernel(K, responses, cross)
        order, slices = contiguous(folds, n)
        rows = slice(None)
        if not np.array_equal(order, np.arange(n)):
            rows = torch.as_tensor(order, device=K.device)
            K = K[rows[:, None], rows]
            cross = None if cross is None else cross[:, rows]
        if units_per_block is None:
            n_values = 6 * n + (0 if cross is None else 3 * len(cross))
            units_per_block = units_at_a_time(n_values * K.element_size(), 3 * n * n * K.element_size(), K.device)
        return cls(centred(K), responses, rows, slices, cross, Blocks(units_per_block))

    @property
    def n_sets(self) -> int:
        """Training sets: that of each fold, and all stimuli."""
        return len(self.folds) + 1

    def evaluate(self, a: int, alpha: float, choices: np.ndarray, best: _Best) -> None:
        """Offer one alpha to some choices."""
        inverse = BorderedInverse.at(alpha, self.Kc, self.folds)
        if best.choice is best.unit:
            error, r = self._units(inverse, choices)
            best.keep(best.offer(a, choices, error), choices, r)
            return
        members = self.responses.members
        wide = np.array([self.responses.is_wide(group) for group in choices])
        narrow = choices[~wide]
        if len(narrow):
            units = np.flatnonzero(members[narrow].any(axis=0))
            error, r = self._units(inverse, units)
            means = np.stack([error[:, inside].mean(axis=1) for inside in members[narrow][:, units]], axis=1)
            best.keep(best.offer(a, narrow, means), units, r)
        for group in choices[wide]:
            units = np.flatnonzero(members[group])
            taken = best.offer(a, np.array([group]), self._factor_error(inverse, group)[:, None] / len(units))
            if taken.any():
                best.keep(taken, units, self._units(inverse, units, with_error=False)[1])

    def _units(self, inverse: BorderedInverse, units: np.ndarray, *, with_error: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Error and correlation of each unit, both (k + 1, len(units)); the last correlation is on the test stimuli."""
        error, r = np.empty((self.n_sets, len(units))), np.full((self.n_sets, len(units)), np.nan)
        # Held-out predictions come as observed - residual. One that varies less than this, in units of the unit, is rounding.
        floor = 100 * torch.finfo(self.Kc.dtype).eps

        def block(part: slice) -> None:
            Y = self.responses.centred(units[part], self.Kc, self.rows)
            C = inverse.B @ Y
            residuals = inverse.residuals(C)
            if with_error:
                error[:, part] = inverse.errors(C, residuals).cpu()
            for f, (fold, residual) in enumerate(zip(self.folds, residuals, strict=True)):
                r[f, part] = pearson(Y[fold] - residual, Y[fold], floor).cpu()
            if self.cross is not None:
                # cross is not centred: C sums to 0, and a shift of the prediction leaves r alone.
                r[-1, part] = pearson(self.cross @ C, self.responses.tested(units[part], self.Kc)).cpu()

        self.blocks.run(len(units), block)
        return error, r

    def _factor_error(self, inverse: BorderedInverse, group: int) -> np.ndarray:
        """(k + 1,) error of a wide group, summed over its units."""
        factor = self.responses.factor(group, self.Kc.device)
        total = np.zeros((self.n_sets, factor.shape[1]))

        def block(part: slice) -> None:
            C = inverse.B @ factor[:, part].to(self.Kc)[self.rows]
            total[:, part] = inverse.errors(C, inverse.residuals(C)).cpu()

        self.blocks.run(factor.shape[1], block)
        return total.sum(axis=1)


def _checked_alphas(alphas: Sequence[float]) -> np.ndarray:
    alphas = np.asarray(alphas, dtype=np.float64)
    if not (alphas > 0).all():
        raise ValueError(f"alphas must be above 0; got {alphas.min():g}")
    if not (np.diff(alphas) > 0).all():
        raise ValueError(f"alphas must ascend; got {', '.join(f'{alpha:g}' for alpha in alphas)}")
    return alphas


def _check_kernel(K: Tensor, responses: Responses, cross: Tensor | None) -> None:
    if K.ndim != 2 or len(K) != K.shape[1] or len(K) != responses.n_stimuli:
        raise ValueError(f"responses to {responses.n_stimuli} stimuli beside a kernel of shape {tuple(K.shape)}")
    if cross is not None and (responses.test is None or cross.shape != (len(responses.test), len(K))):
        n_test = 0 if responses.test is None else len(responses.test)
        raise ValueError(f"responses to {n_test} test and {len(K)} training stimuli beside a kernel of {tuple(cross.shape)}")
    for kernel in (K, cross):
        if kernel is not None and not (sums := kernel.sum(dim=1)).isfinite().all():
            row = (~sums.isfinite()).nonzero()[0].item()
            column = (~kernel[row].isfinite()).nonzero()[0].item()
            raise ValueError(f"kernel value [{row}, {column}] is {kernel[row, column].item()}")
