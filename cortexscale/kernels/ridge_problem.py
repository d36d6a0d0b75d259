"""One ridge problem, evaluated one alpha at a time for some of its groups or units, and the best of what was seen."""

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
        heldout: (n, P) responses to each fold, predicted from the others; None without folds or where not asked for.
        test: (m, P) predicted responses to the test stimuli; None likewise.
    """

    group: np.ndarray
    unit: np.ndarray
    chosen: np.ndarray
    loo_error: np.ndarray
    heldout_r: np.ndarray
    test_r: np.ndarray | None
    heldout: np.ndarray | None = None
    test: np.ndarray | None = None


@dataclass
class Best:
    """The best alpha so far of each choice (a group, or a unit of its own), and the correlations there.

    Attributes:
        error, chosen: (k + 1, D) of D choices.
        group, unit, choice: (P,) of each pair of a group and its unit.
        r: (k + 1, P); last, on the test stimuli.
        predicted: (rows of :attr:`Problem.predicted_rows`, P), or None.
    """

    error: np.ndarray
    chosen: np.ndarray
    group: np.ndarray
    unit: np.ndarray
    choice: np.ndarray
    r: np.ndarray
    predicted: np.ndarray | None

    @classmethod
    def none_yet(cls, problem: "Problem", members: np.ndarray, alpha_per: str) -> "Best":
        group, unit = np.nonzero(members)
        choice, n_choices = (unit, members.shape[1]) if alpha_per == "unit" else (group, len(members))
        error, chosen = np.full((problem.n_sets, n_choices), np.inf), np.full((problem.n_sets, n_choices), -1)
        r = np.full((problem.n_sets, len(group)), np.nan)
        return cls(error, chosen, group, unit, choice, r, problem.no_predictions(len(group)))

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

    def keep(self, taken: np.ndarray, units: np.ndarray, look: "Look") -> None:
        """Note what the units of those choices earned that took the present alpha."""
        column = np.full(self.unit.max() + 1, -1)
        column[units] = np.arange(len(units))
        column = column[self.unit]
        for f, rows in enumerate(look.rows):
            pairs = taken[f, self.choice] & (column >= 0)
            self.r[f, pairs] = look.r[f, column[pairs]]
            if self.predicted is not None:
                self.predicted[rows, pairs] = look.predicted[rows, column[pairs]]

    def result(self, problem: "Problem") -> NestedRidge:
        if (self.chosen[:, self.choice] < 0).any():
            f, pair = np.argwhere(self.chosen[:, self.choice] < 0)[0]
            raise ValueError(
                f"the leave-one-out error of group {self.group[pair]} in training set {f} is not finite at any alpha"
            )
        chosen, error = self.chosen[:, self.choice], self.error[:, self.choice]
        test_r = None if problem.cross is None else self.r[-1]
        return NestedRidge(self.group, self.unit, chosen, error, self.r[:-1], test_r, *problem.in_order(self.predicted))


@dataclass
class Look:
    """What some units earn at one alpha: error and r (k + 1, units), the last r on the test stimuli, and predicted responses,
    of each training set in its own ``rows``.
    """

    error: np.ndarray
    r: np.ndarray
    predicted: np.ndarray | None
    rows: list[slice]


@dataclass
class Problem:
    """A kernel and responses with the stimuli in an order that makes every fold a slice."""

    Kc: Tensor
    responses: Responses
    rows: Tensor | slice
    folds: list[slice]
    cross: Tensor | None
    blocks: Blocks
    predictions: bool

    @classmethod
    def of(
        cls, K: Tensor, responses: Responses, folds, cross: Tensor | None, units_per_block: int | None, predictions: bool
    ) -> "Problem":
        n = len(K)
        _check_kernel(K, responses, cross)
        order, slices = contiguous(folds, n)
        rows = slice(None)
        if cross is not None:
            cross = cross - K.mean(dim=0)
        if not np.array_equal(order, np.arange(n)):
            rows = torch.as_tensor(order, device=K.device)
            K = K[rows[:, None], rows]
            cross = None if cross is None else cross[:, rows]
        if units_per_block is None:
            n_values = 6 * n + (0 if cross is None else 3 * len(cross))
            units_per_block = units_at_a_time(n_values * K.element_size(), 3 * n * n * K.element_size(), K.device)
        return cls(centred(K), responses, rows, slices, cross, Blocks(units_per_block), predictions)

    @property
    def n_sets(self) -> int:
        """Training sets: that of each fold, and all stimuli."""
        return len(self.folds) + 1

    @property
    def predicted_rows(self) -> list[slice]:
        """Where the predictions of each training set lie: held-out stimuli in their present order, then test stimuli."""
        start = self.folds[-1].stop if self.folds else 0
        return [*self.folds, slice(start, start + (0 if self.cross is None else len(self.cross)))]

    def no_predictions(self, columns: int) -> np.ndarray | None:
        """Room for the predictions of so many units."""
        if not self.predictions:
            return None
        dtype = np.float32 if self.Kc.dtype == torch.float32 else np.float64
        return np.empty((self.predicted_rows[-1].stop, columns), dtype=dtype)

    def in_order(self, predicted: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Predictions of the held-out stimuli in the order of the responses, and of the test stimuli."""
        if predicted is None:
            return None, None
        test = self.predicted_rows[-1]
        heldout = predicted[: test.start] if self.folds else None
        if self.folds and isinstance(self.rows, Tensor):
            heldout = heldout[np.argsort(self.rows.cpu().numpy())]
        return heldout, None if self.cross is None else predicted[test]

    def evaluate(self, a: int, alpha: float, choices: np.ndarray, best: Best) -> None:
        """Offer one alpha to some choices."""
        inverse = BorderedInverse.at(alpha, self.Kc, self.folds)
        if best.choice is best.unit:
            look = self._units(inverse, choices)
            best.keep(best.offer(a, choices, look.error), choices, look)
            return
        members = self.responses.members
        wide = np.array([self.responses.is_wide(group) for group in choices])
        narrow = choices[~wide]
        if len(narrow):
            units = np.flatnonzero(members[narrow].any(axis=0))
            look = self._units(inverse, units)
            means = np.stack([look.error[:, inside].mean(axis=1) for inside in members[narrow][:, units]], axis=1)
            best.keep(best.offer(a, narrow, means), units, look)
        for group in choices[wide]:
            units = np.flatnonzero(members[group])
            taken = best.offer(a, np.array([group]), self._factor_error(inverse, group)[:, None] / len(units))
            if taken.any():
                best.keep(taken, units, self._units(inverse, units, with_error=False))

    def _units(self, inverse: BorderedInverse, units: np.ndarray, *, with_error: bool = True) -> Look:
        error, r = np.empty((self.n_sets, len(units))), np.full((self.n_sets, len(units)), np.nan)
        predicted, rows = self.no_predictions(len(units)), self.predicted_rows
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
                tested = self.cross @ C
                r[-1, part] = pearson(tested, self.responses.tested(units[part], self.Kc)).cpu()
            if predicted is not None:
                mean = self.responses.mean(units[part], self.Kc)
                for fold, residual in zip(self.folds, residuals, strict=True):
                    predicted[fold, part] = (Y[fold] - residual + mean).cpu()
                if self.cross is not None:
                    predicted[rows[-1], part] = (tested + mean).cpu()

        self.blocks.run(len(units), block)
        return Look(error, r, predicted, rows)

    def _factor_error(self, inverse: BorderedInverse, group: int) -> np.ndarray:
        """(k + 1,) error of a wide group, summed over its units."""
        factor = self.responses.factor(group, self.Kc.device)
        total = np.zeros((self.n_sets, factor.shape[1]))

        def block(part: slice) -> None:
            C = inverse.B @ factor[:, part].to(self.Kc)[self.rows]
            total[:, part] = inverse.errors(C, inverse.residuals(C)).cpu()

        self.blocks.run(factor.shape[1], block)
        return total.sum(axis=1)


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
