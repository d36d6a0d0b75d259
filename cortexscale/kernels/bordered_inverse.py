"""Invert one matrix per penalty, from which nested cross-validated ridge follows.

The model is ridge regression on centred features and responses, without scaling, with an intercept that is not penalised. Let Kc
be the doubly centred Gram matrix, Y the responses, and

    B = (Kc + alpha I)^-1 - 11' / (n alpha),      C = B Y.

B is the upper left block of the inverse of the system bordered by the intercept, so B 1 = 0. For held-out stimuli S and the
remaining training stimuli T:

    residuals of S predicted from T              E_S = B_SS^-1 C_S
    B of the problem on T alone                  B_TT - B_TS B_SS^-1 B_ST
    C of the problem on T alone                  C_T - B_TS E_S
    leave-one-out residual in either problem     C_i / B_ii

The last line is the closed form of Rifkin & Lippert 2007 (MIT-CSAIL-TR-2007-025); the others are Schur complements. All
subjects, ROIs and folds therefore share one factorisation per alpha.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.finite import checked_responses
from cortexscale.kernels.gram import centred


class BorderedInverse:
    """B (n, n) at one alpha, its diagonal (n, 1), and for each fold, a slice of the rows, the matrices that leave it out.

    The cost is n^3 operations, and n^3 / k for all k folds together. Two n x n matrices exist in addition to the doubly centred
    Kc meanwhile, one afterwards. An alpha that is too small for the precision of Kc raises ValueError.
    """

    def __init__(self, alpha: float, Kc: Tensor, blocks: Sequence[slice]) -> None:
        with _precise_enough(alpha, Kc):
            self.B = _inverse(Kc, alpha)
            self.diagonal = self.B.diagonal()[:, None].clone()
            self.folds = [HeldOutBlock(self.B, block) for block in blocks]

    def residuals(self, C: Tensor) -> list[Tensor]:
        """Residuals of each fold S predicted from the other folds, (len(S), T), for C = B Y."""
        return [fold.inverse @ C[fold.block] for fold in self.folds]

    def errors(self, C: Tensor, residuals: list[Tensor]) -> Tensor:
        """Mean squared leave-one-out errors, (k + 1, T) float64: within the training stimuli of each fold, last on all."""
        errors = torch.empty(len(self.folds) + 1, C.shape[1], dtype=torch.float64, device=C.device)
        for f, (fold, residual) in enumerate(zip(self.folds, residuals, strict=True)):
            errors[f] = fold.error(self.B, C, residual)
        errors[-1] = (C / self.diagonal).square_().mean(dim=0).double()
        return errors


class HeldOutBlock:
    """The matrices that leave the rows S = ``block`` out of the ridge problem of B (n, n), whatever its responses.

    ``inverse`` is B_SS^-1. ``diagonal`` (n, 1) is that of B of the problem on the other rows, and 1 in rows S.
    """

    def __init__(self, B: Tensor, block: slice) -> None:
        L = torch.linalg.cholesky(B[block, block])
        diagonal = B.diagonal() - torch.linalg.solve_triangular(L, B[block], upper=False).square_().sum(dim=0)
        diagonal[block] = 1
        if not (diagonal > 0).all():
            raise torch.linalg.LinAlgError("not positive definite without the block")
        self.block, self.inverse, self.diagonal = block, torch.cholesky_inverse(L), diagonal[:, None]

    def error(self, B: Tensor, C: Tensor, residuals: Tensor) -> Tensor:
        """Mean squared leave-one-out error of the other rows, (T,) float64, from the residuals of the block (len(S), T)."""
        n = len(C)
        total = torch.zeros(C.shape[1], dtype=torch.float64, device=C.device)
        for other in (slice(0, self.block.start), slice(self.block.stop, n)):
            residual = torch.addmm(C[other], B[other, self.block], residuals, alpha=-1).div_(self.diagonal[other])
            total += residual.square_().sum(dim=0).double()
        return total / (n - len(residuals))


def _inverse(Kc: Tensor, alpha: float) -> Tensor:
    """Compute B of the module's docstring."""
    n, lift = len(Kc), Kc.diagonal().mean().item()
    B = Kc + lift / n
    B.diagonal().add_(alpha)
    B = torch.linalg.cholesky(B)
    B = torch.cholesky_inverse(B)
    return B.sub_(1 / (n * (alpha + lift)))


@contextmanager
def _precise_enough(alpha: float, Kc: Tensor) -> Iterator[None]:
    """Turn a failed factorisation in the block into a ValueError that says what the user can change."""
    try:
        yield
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"alpha = {alpha:g} is lost in the rounding of a {str(Kc.dtype).removeprefix('torch.')} Gram matrix whose mean "
            f"diagonal is {Kc.diagonal().mean().item():g}; use float64 or larger alphas"
        ) from None


def dual_coefficients(K: Tensor, Y: Tensor | np.ndarray, alpha: np.ndarray) -> tuple[Tensor, Tensor]:
    """Coefficients of a ridge fit to all rows of K (n, n), in any centring, with penalties (T,) above 0, one per unit of Y (n,
    T).

    Returns:
        C (n, T), whose columns sum to 0, and the mean response (T,). The predicted responses to m other stimuli are (cross -
        K.mean(dim=0)) @ C + mean, where ``cross`` is the (m, n) Gram matrix between them and these.
    """
    Y = checked_responses(K, Y).to(K.dtype)
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
