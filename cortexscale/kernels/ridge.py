"""Ridge regression from a Gram matrix, for many units and a whole grid of alphas at once.

The model is the usual one: features and responses centred, no scaling, an intercept that is not penalised. For each
alpha ONE inverse over all stimuli yields, exactly, everything that nested cross-validation asks for. Let Kc be the
doubly centred Gram matrix and

    B = (Kc + alpha I)^-1 - 11' / (n alpha),      C = B Y.

B is the upper left block of the inverse of the system bordered by the intercept (so B 1 = 0). Inverting blocks of it
takes stimuli away. For held-out stimuli S and the remaining training stimuli T:

    residuals of S predicted from T              E_S = B_SS^-1 C_S
    B of the problem on T alone                  B_TT - B_TS B_SS^-1 B_ST
    C of the problem on T alone                  C_T - B_TS E_S
    leave-one-out residual in either problem     C_i / B_ii

(The last line is the closed form of Rifkin & Lippert 2007, MIT-CSAIL-TR-2007-025; the others are Schur complements.)
Neither subjects, ROIs nor folds need a decomposition of their own, and tables per (alpha, unit) serve every grouping of
units afterwards, so a unit that belongs to several ROIs is fitted once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.correlation import pearson
from cortexscale.kernels.folds import contiguous
from cortexscale.kernels.gram import centred


@dataclass(frozen=True)
class RidgePath:
    """Ridge along the whole grid of A alphas for T units, k outer folds. All arrays float64.

    Attributes:
        alphas: (A,)
        loo_error: (A, k + 1, T) mean squared leave-one-out error within the training stimuli of each fold; last, within
            all stimuli.
        heldout_r: (A, k, T) Pearson r on each fold, predicted from the others.
        test_r: (A, T) Pearson r on the test stimuli, predicted from all stimuli; None without test stimuli.
    """

    alphas: np.ndarray
    loo_error: np.ndarray
    heldout_r: np.ndarray
    test_r: np.ndarray | None


def ridge_path(
    K: Tensor,
    Y: Tensor,
    alphas: Sequence[float],
    folds: Sequence[np.ndarray],
    *,
    cross: Tensor | None = None,
    Y_test: Tensor | None = None,
    target_block: int = 512,
) -> RidgePath:
    """Leave-one-out error and held-out correlation of every unit at every alpha.

    Cost: A (1.2 n^3 + 4 n^2 T) operations, A (1 + k) Cholesky factorisations. Memory beyond the arguments: 4 n^2,
    n T and 4 n target_block values. In float32, r is right to 1e-3 for alphas between 1e-4 and 1e2 times the largest eigenvalue
    of K (to 1e-5 well inside); elsewhere, and where float64 costs little, use float64.

    Args:
        K: (n, n) Gram matrix of the training stimuli, in any centring. Its dtype is that of the inverse.
        Y: (n, T) responses. Their dtype is that of the products with them.
        alphas: the grid, above 0.
        folds: index arrays that partition the n stimuli (:func:`~cortexscale.kernels.folds.k_folds`), or none at all.
        cross: (m, n) Gram matrix between test and training stimuli, features centred as in K.
        Y_test: (m, T) responses to the test stimuli.
        target_block: units handled at a time.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, folds that are no partition or leave fewer than
            two training stimuli, or an alpha too small for the precision of K.
    """
    Y = _targets(K, Y)
    n, n_units = Y.shape
    alphas = np.asarray(alphas, dtype=np.float64)
    if not (alphas > 0).all():
        raise ValueError(f"alphas must be above 0; got {alphas.min():g}")
    rows, blocks = contiguous(folds, n)
    rows = torch.as_tensor(rows, device=K.device)
    Kc = centred(K[rows[:, None], rows])
    Y_centred = Y[rows].sub_(Y.mean(dim=0))
    if cross is not None:
        Y_test = _targets(cross, Y_test).to(Y.dtype)
        cross = cross[:, rows].to(Y.dtype)  # not centred: C sums to 0, and a shift of the prediction leaves r alone

    # Held-out predictions come as observed - residual. One that varies less than this, in units of the unit, is rounding.
    floor = 100 * torch.finfo(Y.dtype).eps
    table = {"dtype": torch.float64, "device": K.device}
    loo_error = torch.empty(len(alphas), len(blocks) + 1, n_units, **table)
    heldout_r = torch.empty(len(alphas), len(blocks), n_units, **table)
    test_r = None if cross is None else torch.empty(len(alphas), n_units, **table)
    for a, alpha in enumerate(alphas):
        with _precise_enough(alpha, Kc):
            B = _bordered_inverse(Kc, alpha)
            factors = [_HeldOut.from_inverse(B, block, Y.dtype) for block in blocks]
        diagonal = B.diagonal().to(Y.dtype)[:, None].clone()
        B = B.to(Y.dtype)
        for first in range(0, n_units, target_block):
            units = slice(first, first + target_block)
            C = B @ Y_centred[:, units]
            for f, factor in enumerate(factors):
                loo_error[a, f, units], residual = factor.errors(C)
                observed = Y_centred[factor.block, units]
                heldout_r[a, f, units] = pearson(observed - residual, observed, floor)
            if cross is not None:
                test_r[a, units] = pearson(cross @ C, Y_test[:, units])
            loo_error[a, -1, units] = (C / diagonal).square_().mean(dim=0).double()
        del B, factors  # two matrices that the next alpha's inverse would otherwise be built beside
    return RidgePath(alphas, *(None if t is None else t.cpu().numpy() for t in (loo_error, heldout_r, test_r)))


def choose_alpha(loo_error: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Index of the alpha with the smallest leave-one-out error averaged over the units of a group.

    Args:
        loo_error: (A, k + 1, T) of a :class:`RidgePath`.
        members: (G, T) bool, one row per group (ROI of a subject). ``np.eye(T, dtype=bool)`` gives each unit its own alpha.

    Returns:
        (k + 1, G) int; of equal errors, the smallest index. 0 and A - 1 lie at the edge of the grid.

    Raises:
        ValueError: a group without units.
    """
    members = np.asarray(members, dtype=bool)
    if not members.any(axis=1).all():
        raise ValueError(f"group {np.flatnonzero(~members.any(axis=1))[0]} has no units to choose an alpha for")
    return (loo_error @ members.T.astype(np.float64)).argmin(axis=0)


def dual_coefficients(K: Tensor, Y: Tensor, alpha: np.ndarray) -> tuple[Tensor, Tensor]:
    """Coefficients of a fit to all rows of K, one alpha per unit.

    Args:
        K: (n, n) Gram matrix in any centring.
        Y: (n, T) responses.
        alpha: (T,) above 0.

    Returns:
        C (n, T), whose columns sum to 0, and the mean response (T,): see :func:`predict`.
    """
    Y = _targets(K, Y).to(K.dtype)
    alpha = np.broadcast_to(alpha, Y.shape[1:])
    mean = Y.mean(dim=0)
    Kc, C = centred(K), torch.empty_like(Y)
    for value in np.unique(alpha):
        units = torch.as_tensor(alpha == value, device=K.device)
        factor = Kc.clone()
        factor.diagonal().add_(value)
        with _precise_enough(value, Kc):
            C[:, units] = torch.cholesky_solve(Y[:, units] - mean[units], torch.linalg.cholesky(factor))
    return C - C.mean(dim=0), mean


def predict(cross: Tensor, column_mean: Tensor, C: Tensor, mean: Tensor) -> Tensor:
    """(m, T) predicted responses to other stimuli.

    Args:
        cross: (m, n) Gram matrix between them and the training stimuli.
        column_mean: (n,) column means of the training stimuli's own Gram matrix, which centre the features.
        C, mean: of :func:`dual_coefficients`.
    """
    return (cross - column_mean) @ C + mean


def cross_validated_predictions(K: Tensor, Y: Tensor, folds: Sequence[np.ndarray], alpha: np.ndarray) -> Tensor:
    """(n, T) responses to each fold predicted from the other folds, one fit per fold and distinct alpha.

    Args:
        K: (n, n) Gram matrix in any centring.
        Y: (n, T) responses.
        folds: k index arrays that partition the stimuli.
        alpha: (k, T) alpha of each unit in each fold.
    """
    Y = _targets(K, Y).to(K.dtype)
    predicted = torch.empty_like(Y)
    order, blocks = contiguous(folds, len(Y))
    order = torch.as_tensor(order, device=K.device)
    for block, fold_alpha in zip(blocks, alpha, strict=True):
        held, kept = order[block], torch.cat([order[: block.start], order[block.stop :]])
        K_kept = K[kept[:, None], kept]
        predicted[held] = predict(K[held[:, None], kept], K_kept.mean(dim=0), *dual_coefficients(K_kept, Y[kept], fold_alpha))
    return predicted


@dataclass(frozen=True)
class _HeldOut:
    """What it takes to leave the rows of one block out of a problem, whatever the targets.

    Attributes:
        block: rows S that are left out.
        L: Cholesky factor of B_SS.
        V: L^-1 B_S, (len(S), n).
        diagonal: (n, 1) diagonal of B of the problem on the other rows; 1 in rows S, which that problem lacks.
    """

    block: slice
    L: Tensor
    V: Tensor
    diagonal: Tensor

    @classmethod
    def from_inverse(cls, B: Tensor, block: slice, dtype: torch.dtype) -> "_HeldOut":
        L = torch.linalg.cholesky(B[block, block])
        V = torch.linalg.solve_triangular(L, B[block], upper=False)
        diagonal = B.diagonal() - V.square().sum(dim=0)
        diagonal[block] = 1
        if not (diagonal > 0).all():
            raise torch.linalg.LinAlgError("not positive definite without the block")
        return cls(block, L.to(dtype), V.to(dtype), diagonal.to(dtype)[:, None])

    def errors(self, C: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared leave-one-out error (T,) of the other rows, and the residuals of the block (len(S), T)."""
        n = len(C)
        U = torch.linalg.solve_triangular(self.L, C[self.block], upper=False)
        total = torch.zeros(C.shape[1], dtype=torch.float64, device=C.device)
        for other in (slice(0, self.block.start), slice(self.block.stop, n)):
            residual = torch.addmm(C[other], self.V[:, other].T, U, alpha=-1).div_(self.diagonal[other])
            total += residual.square_().sum(dim=0).double()
        heldout = torch.linalg.solve_triangular(self.L.T, U, upper=True)
        return total / (n - len(heldout)), heldout


def _bordered_inverse(Kc: Tensor, alpha: float) -> Tensor:
    """B of the module's docstring.

    The direction 1, which Kc maps to 0, is lifted to the mean eigenvalue before inverting and taken out afterwards.
    Without the lift its 1 / alpha dominates the inverse, and float32 loses the positive definiteness of the blocks.
    """
    n, lift = len(Kc), Kc.diagonal().mean().item()
    B = Kc + lift / n
    B.diagonal().add_(alpha)
    B = torch.linalg.cholesky(B)
    B = torch.cholesky_inverse(B)
    return B.sub_(1 / (n * (alpha + lift)))


@contextmanager
def _precise_enough(alpha: float, Kc: Tensor) -> Iterator[None]:
    """Say of a failed factorisation what the user can change."""
    try:
        yield
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"alpha = {alpha:g} is lost in the rounding of a {str(Kc.dtype).removeprefix('torch.')} Gram matrix whose mean "
            f"diagonal is {Kc.diagonal().mean().item():g}; use float64 or larger alphas"
        ) from None


def _targets(K: Tensor, Y: Tensor) -> Tensor:
    """Responses as a tensor beside K, refused if they or K cannot be used."""
    Y = torch.as_tensor(Y, device=K.device)
    if Y.dtype not in (torch.float32, torch.float64):
        Y = Y.to(K.dtype)
    if Y.ndim != 2 or len(Y) != len(K):
        raise ValueError(f"responses of shape {tuple(Y.shape)} for {len(K)} stimuli")
    for name, values in (("kernel value", K), ("response", Y)):
        if not values.isfinite().all():
            row, column = (~values.isfinite()).nonzero()[0].tolist()
            raise ValueError(f"{name} [{row}, {column}] is {values[row, column].item()}")
    return Y
