"""Nested cross-validation of ridge from one matrix inverse per penalty.

The model is ridge regression with an intercept that is not penalised. Features and responses are centred but not scaled. Let Kc
be the doubly centred Gram matrix of n training stimuli, alpha the penalty, I the identity, 1 a vector of ones, Y the responses,
and

    B = (Kc + alpha I)^-1 - 11' / (n alpha),      C = B Y.

The intercept adds a row and column of ones to Kc + alpha I. B is the upper left block of the inverse of this larger matrix. Thus
B 1 = 0. Let S be the held-out stimuli and R the other stimuli. As subscripts they select rows and columns:

    residuals of S predicted from R              E_S = B_SS^-1 C_S
    B of the problem on R alone                  B_RR - B_RS B_SS^-1 B_SR
    C of the problem on R alone                  C_R - B_RS E_S
    leave-one-out residual in either problem     C_i / B_ii

The last line is the closed form of Rifkin & Lippert 2007 (MIT-CSAIL-TR-2007-025); the other lines are Schur complements.
Therefore all subjects, ROIs and folds share one factorisation per alpha.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.finite import checked_responses
from cortexscale.kernels.gram import centred


class BorderedInverse:
    """The matrix B (n, n) that the docstring of this module defines, at one alpha.

    A fold is a slice of the rows. For each fold, ``folds`` has the matrices that leave it out. ``diagonal`` (n, 1) is the
    diagonal of B. The inverse costs n^3 operations, and all k folds together n^3 / k. In addition to the doubly centred Kc,
    memory holds two n x n matrices during the computation and one afterwards. An alpha that is too small for the precision of Kc
    raises ValueError.
    """

    def __init__(self, alpha: float, Kc: Tensor, blocks: Sequence[slice]) -> None:
        with _precise_enough(alpha, Kc):
            self.B = _inverse(Kc, alpha)
            self.diagonal = self.B.diagonal()[:, None].clone()
            self.folds = [HeldOutBlock(self.B, block) for block in blocks]

    def residuals(self, C: Tensor) -> list[Tensor]:
        """Compute the residuals (len(S), T) of each fold S when the other folds predict it. C is B Y for T units."""
        return [fold.inverse @ C[fold.block] for fold in self.folds]

    def errors(self, C: Tensor, residuals: list[Tensor]) -> Tensor:
        """Compute mean squared leave-one-out errors, (k + 1, T) float64.

        Each of the first k rows has the errors on the stimuli outside one fold. The last row has the errors on all stimuli.
        """
        errors = torch.empty(len(self.folds) + 1, C.shape[1], dtype=torch.float64, device=C.device)
        for f, (fold, residual) in enumerate(zip(self.folds, residuals, strict=True)):
            errors[f] = fold.error(self.B, C, residual)
        errors[-1] = (C / self.diagonal).square_().mean(dim=0).double()
        return errors


class HeldOutBlock:
    """Matrices that leave the rows S = ``block`` out of the ridge problem of B (n, n). They do not depend on the responses.

    ``inverse`` is B_SS^-1. ``diagonal`` (n, 1) is the diagonal of B for the problem on the other rows alone, and 1 in rows S.
    """

    def __init__(self, B: Tensor, block: slice) -> None:
        L = torch.linalg.cholesky(B[block, block])
        diagonal = B.diagonal() - torch.linalg.solve_triangular(L, B[block], upper=False).square_().sum(dim=0)
        diagonal[block] = 1
        if not (diagonal > 0).all():
            raise torch.linalg.LinAlgError("not positive definite without the block")
        self.block, self.inverse, self.diagonal = block, torch.cholesky_inverse(L), diagonal[:, None]

    def error(self, B: Tensor, C: Tensor, residuals: Tensor) -> Tensor:
        """Compute the mean squared leave-one-out error of the rows outside the block, (T,) float64.

        ``residuals`` (len(S), T) are the residuals of the block.
        """
        n = len(C)
        total = torch.zeros(C.shape[1], dtype=torch.float64, device=C.device)
        for other in (slice(0, self.block.start), slice(self.block.stop, n)):
            residual = torch.addmm(C[other], B[other, self.block], residuals, alpha=-1).div_(self.diagonal[other])
            total += residual.square_().sum(dim=0).double()
        return total / (n - len(residuals))


def _inverse(Kc: Tensor, alpha: float) -> Tensor:
    """Compute the matrix B that the docstring of this module defines."""
    n, lift = len(Kc), Kc.diagonal().mean().item()
    B = Kc + lift / n
    B.diagonal().add_(alpha)
    B = torch.linalg.cholesky(B)
    B = torch.cholesky_inverse(B)
    return B.sub_(1 / (n * (alpha + lift)))


@contextmanager
def _precise_enough(alpha: float, Kc: Tensor) -> Iterator[None]:
    """If a factorisation inside the ``with`` block fails, raise a ValueError that says what the user can change."""
    try:
        yield
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"alpha = {alpha:g} is lost in the rounding of a {str(Kc.dtype).removeprefix('torch.')} Gram matrix whose mean "
            f"diagonal is {Kc.diagonal().mean().item():g}; use float64 or larger alphas"
        ) from None


def dual_coefficients(K: Tensor, Y: Tensor | np.ndarray, alpha: np.ndarray) -> tuple[Tensor, Tensor]:
    """Fit ridge to responses Y (n, T) from K (n, n), in any centring. Each unit has a penalty above 0 in ``alpha`` (T,).

    Returns:
        The dual coefficients C (n, T), whose columns sum to 0, and the mean responses (T,). The predicted responses to m other
        stimuli are (cross - K.mean(dim=0)) @ C + mean, where ``cross`` (m, n) is the Gram matrix between the m and the n stimuli.
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
