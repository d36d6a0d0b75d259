"""Evaluate ridge for groups or units, at one alpha at a time, and keep the best alpha of each group or unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.bordered_inverse import BorderedInverse
from cortexscale.kernels.correlation import pearson
from cortexscale.kernels.device import Blocks, units_at_a_time
from cortexscale.kernels.finite import not_finite
from cortexscale.kernels.folds import contiguous
from cortexscale.kernels.gram import centred
from cortexscale.kernels.responses import Responses


@dataclass(frozen=True)
class NestedRidge:
    """Results of P pairs of a group and a unit, in the order of ``np.nonzero(members)``, with k outer folds.

    ``chosen`` (k + 1, P) has the index of the chosen alpha. Each of the first k rows was chosen on the stimuli outside one fold,
    and the last row on all training stimuli. ``loo_error`` (k + 1, P) is the mean squared leave-one-out error at that alpha,
    averaged over the units that share the alpha. ``heldout`` (n, P) has predictions of each fold from the other folds, and
    ``test`` (m, P) has predictions of the test stimuli. ``heldout_r`` (k, P) and ``test_r`` (P,) are Pearson r of these
    predictions. Results that were not asked for are None.
    """

    group: np.ndarray
    unit: np.ndarray
    chosen: np.ndarray
    loo_error: np.ndarray
    heldout_r: np.ndarray
    test_r: np.ndarray | None
    heldout: np.ndarray | None = None
    test: np.ndarray | None = None


class BestAlphas:
    """The best alpha found so far for each of D choices, and the correlations at that alpha.

    A choice is a group or a single unit. ``error`` (k + 1, D) is the smallest error, and ``chosen`` (k + 1, D) the index of its
    alpha. ``group``, ``unit`` and ``choice`` (P,) describe the pairs. ``r`` (k + 1, P) has correlations on the k folds, then on
    the test stimuli.
    """

    def __init__(self, problem: "RidgeProblem", alpha_per: str) -> None:
        members = problem.responses.members
        self.problem, (self.group, self.unit) = problem, np.nonzero(members)
        self.choice, n_choices = (self.unit, members.shape[1]) if alpha_per == "unit" else (self.group, len(members))
        self.error = np.full((problem.n_training_sets, n_choices), np.inf)
        self.chosen = np.full(self.error.shape, -1)
        self.r = np.full((problem.n_training_sets, len(self.unit)), np.nan)
        self.predicted = problem.no_predictions(len(self.unit))

    def offer(self, a: int, choices: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Replace the best alpha by ``a`` wherever the error at ``a`` is lower. Return where this happened, (k + 1, D).

        If errors are equal, the smaller alpha is chosen.
        """
        taken = np.zeros(self.error.shape, dtype=bool)
        before = self.error[:, choices]
        taken[:, choices] = (error < before) | ((error == before) & (a < self.chosen[:, choices]))
        self.error[:, choices] = np.minimum(error, before)
        self.chosen[taken] = a
        return taken

    def keep(self, taken: np.ndarray, units: np.ndarray, evaluation: "Evaluation") -> None:
        """Store the evaluation of ``units`` for the pairs whose choice is true in ``taken`` (k + 1, D)."""
        column = np.full(self.unit.max() + 1, -1)
        column[units] = np.arange(len(units))
        column = column[self.unit]
        for f, rows in enumerate(self.problem.predicted_rows):
            pairs = taken[f, self.choice] & (column >= 0)
            self.r[f, pairs] = evaluation.r[f, column[pairs]]
            if self.predicted is not None and evaluation.predicted is not None:
                self.predicted[rows, pairs] = evaluation.predicted[rows, column[pairs]]

    def result(self) -> NestedRidge:
        """Return the results at the best alphas. Predictions are in the order of the responses."""
        if (self.chosen[:, self.choice] < 0).any():
            f, pair = np.argwhere(self.chosen[:, self.choice] < 0)[0]
            raise ValueError(
                f"the leave-one-out error of group {self.group[pair]} in training set {f} is not finite at any alpha"
            )
        chosen, error = self.chosen[:, self.choice], self.error[:, self.choice]
        test_r, predicted = None if self.problem.cross is None else self.r[-1], self.problem.in_order(self.predicted)
        return NestedRidge(self.group, self.unit, chosen, error, self.r[:-1], test_r, *predicted)


class Evaluation(NamedTuple):
    """Errors, correlations and predictions of some units at one alpha, with shapes as in :class:`BestAlphas`."""

    error: np.ndarray
    r: np.ndarray
    predicted: np.ndarray | None


class RidgeProblem:
    """A kernel and responses, with the stimuli in an order in which every fold is a slice.

    The arguments are those of ``nested_ridge``. ``Kc`` is doubly centred, and the features of ``cross`` are centred in the same
    way. ``rows`` has the number of the stimulus in each row of Kc.
    """

    def __init__(
        self,
        K: Tensor,
        responses: Responses,
        folds: Sequence[np.ndarray],
        cross: Tensor | None,
        units_per_block: int | None,
        predictions: bool,
    ) -> None:
        n = len(K)
        _check_kernel(K, responses, cross)
        order, self.folds = contiguous(folds, n)
        self.rows: Tensor | slice = slice(None)
        if cross is not None:
            cross = cross - K.mean(dim=0)
        if not np.array_equal(order, np.arange(n)):
            self.rows = torch.as_tensor(order, device=K.device)
            K = K[self.rows[:, None], self.rows]
            cross = None if cross is None else cross[:, self.rows]
        if units_per_block is None:
            n_values = 6 * n + (0 if cross is None else 3 * len(cross))
            units_per_block = units_at_a_time(n_values * K.element_size(), 3 * n * n * K.element_size(), K.device)
        self.Kc, self.cross, self.responses = centred(K), cross, responses
        self.blocks, self.predictions = Blocks(units_per_block), predictions

    @property
    def n_training_sets(self) -> int:
        """Number of training sets: one for each fold, and one with all stimuli."""
        return len(self.folds) + 1

    @property
    def predicted_rows(self) -> list[slice]:
        """Rows that each training set predicts: the folds of held-out stimuli in the order of Kc, and last the test stimuli."""
        start = self.folds[-1].stop if self.folds else 0
        return [*self.folds, slice(start, start + (0 if self.cross is None else len(self.cross)))]

    def no_predictions(self, columns: int) -> np.ndarray | None:
        """Return an empty array for the predictions of some units, or None if predictions are not kept."""
        if not self.predictions:
            return None
        dtype = np.float32 if self.Kc.dtype == torch.float32 else np.float64
        return np.empty((self.predicted_rows[-1].stop, columns), dtype=dtype)

    def in_order(self, predicted: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Split predictions into those of held-out stimuli and those of test stimuli.

        Held-out stimuli get the order of the responses.
        """
        if predicted is None:
            return None, None
        test = self.predicted_rows[-1]
        heldout = predicted[: test.start] if self.folds else None
        if heldout is not None and isinstance(self.rows, Tensor):
            heldout = heldout[np.argsort(self.rows.cpu().numpy())]
        return heldout, None if self.cross is None else predicted[test]

    def evaluate(self, a: int, alpha: float, choices: np.ndarray, best: BestAlphas) -> np.ndarray:
        """Evaluate ``choices`` (groups or single units) at alpha number ``a``. Update ``best`` where this alpha is better.

        Returns:
            The leave-one-out errors, (k + 1, choices).
        """
        inverse = BorderedInverse(alpha, self.Kc, self.folds)
        if best.choice is best.unit:
            evaluation = self._evaluate_units(inverse, choices)
            best.keep(best.offer(a, choices, evaluation.error), choices, evaluation)
            return evaluation.error
        members = self.responses.members
        wide = np.array([self.responses.is_wide(group) for group in choices])
        error, narrow = np.empty((self.n_training_sets, len(choices))), choices[~wide]
        if len(narrow):
            units = np.flatnonzero(members[narrow].any(axis=0))
            evaluation = self._evaluate_units(inverse, units)
            means = [evaluation.error[:, inside].mean(axis=1) for inside in members[narrow][:, units]]
            error[:, ~wide] = np.stack(means, axis=1)
            best.keep(best.offer(a, narrow, error[:, ~wide]), units, evaluation)
        for column in np.flatnonzero(wide):
            group = choices[column]
            units = np.flatnonzero(members[group])
            error[:, column] = self._factor_error(inverse, group) / len(units)
            taken = best.offer(a, choices[[column]], error[:, [column]])
            if taken.any():
                best.keep(taken, units, self._evaluate_units(inverse, units, with_error=False))
        return error

    def _evaluate_units(self, inverse: BorderedInverse, units: np.ndarray, *, with_error: bool = True) -> Evaluation:
        error, r = np.empty((self.n_training_sets, len(units))), np.full((self.n_training_sets, len(units)), np.nan)
        predicted = self.no_predictions(len(units))
        # Held-out predictions are computed as observed - residual. If their standard deviation is below this fraction of that of
        # the observed responses, their variation is only rounding.
        floor = 100 * torch.finfo(self.Kc.dtype).eps

        def block(part: slice) -> None:
            Y = self.responses.centred(units[part], self.Kc, self.rows)
            C = inverse.B @ Y
            residuals = inverse.residuals(C)
            if with_error:
                error[:, part] = inverse.errors(C, residuals).cpu()
            for f, (fold, residual) in enumerate(zip(self.folds, residuals, strict=True)):
                r[f, part] = pearson(Y[fold] - residual, Y[fold], floor).cpu()
            of_test = None if self.cross is None else self.cross @ C
            if of_test is not None:
                r[-1, part] = pearson(of_test, self.responses.test_responses(units[part], self.Kc)).cpu()
            if predicted is not None:
                mean = self.responses.mean(units[part], self.Kc)
                for fold, residual in zip(self.folds, residuals, strict=True):
                    predicted[fold, part] = (Y[fold] - residual + mean).cpu()
                if of_test is not None:
                    predicted[self.predicted_rows[-1], part] = (of_test + mean).cpu()

        self.blocks.run(len(units), block)
        return Evaluation(error, r, predicted)

    def _factor_error(self, inverse: BorderedInverse, group: int) -> np.ndarray:
        """Compute the leave-one-out error of a wide group, (k + 1,), summed over its units."""
        factor = self.responses.factor(group, self.Kc.device)
        total = np.zeros((self.n_training_sets, factor.shape[1]))

        def block(part: slice) -> None:
            C = inverse.B @ factor[:, part].to(self.Kc)[self.rows]
            total[:, part] = inverse.errors(C, inverse.residuals(C)).cpu()

        self.blocks.run(factor.shape[1], block)
        return total.sum(axis=1)


def _check_kernel(K: Tensor, responses: Responses, cross: Tensor | None) -> None:
    if K.ndim != 2 or len(K) != K.shape[1] or len(K) != responses.n_stimuli:
        raise ValueError(f"responses to {responses.n_stimuli} stimuli with a kernel of shape {tuple(K.shape)}")
    if cross is not None and (responses.test is None or cross.shape != (len(responses.test), len(K))):
        n_test = 0 if responses.test is None else len(responses.test)
        raise ValueError(f"responses to {n_test} test and {len(K)} training stimuli with a kernel of {tuple(cross.shape)}")
    for kernel in (K, cross):
        if kernel is not None and not kernel.sum(dim=1).isfinite().all():
            raise not_finite(kernel, "kernel value")
