"""The one inverse per penalty from which nested cross-validated ridge follows.

The model is the usual one: features and responses centred, no scaling, an intercept that is not penalised. For each
alpha ONE inverse over all stimuli yields, exactly, everything that nested cross-validation asks for. Let Kc be the
doubly centred Gram matrix, Y the responses, and

    B = (Kc + alpha I)^-1 - 11' / (n alpha),      C = B Y.

B is the upper left block of the inverse of the system bordered by the intercept (so B 1 = 0). Inverting blocks of it
takes stimuli away. For held-out stimuli S and the remaining training stimuli T:

    residuals of S predicted from T              E_S = B_SS^-1 C_S
    B of the problem on T alone                  B_TT - B_TS B_SS^-1 B_ST
    C of the problem on T alone                  C_T - B_TS E_S
    leave-one-out residual in either problem     C_i / B_ii

(The last line is the closed form of Rifkin & Lippert 2007, MIT-CSAIL-TR-2007-025; the others are Schur complements.)
Neither subjects, ROIs nor folds need a decomposition of their own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BorderedInverse:
    """B at one alpha, and what leaves each fold out of it.

    Attributes:
        B: (n, n).
        diagonal: (n, 1) of B.
        folds: one per fold.
    """

    B: Tensor
    diagonal: Tensor
    folds: list["HeldOut"]

    @classmethod
    def at(cls, alpha: float, Kc: Tensor, blocks: Sequence[slice]) -> "BorderedInverse":
        """Two n x n matrices beside Kc while it is made, one when it is: n^3 operations, n^3 / k for all k folds.

        Args:
            Kc: (n, n) doubly centred Gram matrix.
            blocks: the folds, as slices that partition the rows.

        Raises:
            ValueError: alpha is too small for the precision of Kc.
        """
        with precise_enough(alpha, Kc):
            B = _inverse(Kc, alpha)
            return cls(B, B.diagonal()[:, None].clone(), [HeldOut.from_inverse(B, block) for block in blocks])

    def residuals(self, C: Tensor) -> list[Tensor]:
        """Of C = B Y, the residuals of each fold S predicted from the others, (len(S), T)."""
        return [fold.inverse @ C[fold.block] for fold in self.folds]

    def errors(self, C: Tensor, residuals: list[Tensor]) -> Tensor:
        """Of C = B Y and its residuals, mean squared leave-one-out error (k + 1, T), float64, within the training stimuli of
        each fold; last, within all stimuli.
        """
        errors = torch.empty(len(self.folds) + 1, C.shape[1], dtype=torch.float64, device=C.device)
        for f, (fold, residual) in enumerate(zip(self.folds, residuals, strict=True)):
            errors[f] = fold.error(self.B, C, residual)
        errors[-1] = (C / self.diagonal).square_().mean(dim=0).double()
        return errors


@dataclass(frozen=True)
class HeldOut:
    """What it takes to leave the rows of one block out of a problem, whatever the targets.

    Attributes:
        block: rows S that are left out.
        inverse: B_SS^-1.
        diagonal: (n, 1) diagonal of B of the problem on the other rows; 1 in rows S, which that problem lacks.
    """

    block: slice
    inverse: Tensor
    diagonal: Tensor

    @classmethod
    def from_inverse(cls, B: Tensor, block: slice) -> "HeldOut":
        L = torch.linalg.cholesky(B[block, block])
        diagonal = B.diagonal() - torch.linalg.solve_triangular(L, B[block], upper=False).square_().sum(dim=0)
        diagonal[block] = 1
        if not (diagonal > 0).all():
            raise torch.linalg.LinAlgError("not positive definite without the block")
        return cls(block, torch.cholesky_inverse(L), diagonal[:, None])

    def error(self, B: Tensor, C: Tensor, heldout: Tensor) -> Tensor:
        """Mean squared leave-one-out error (T,) of the other rows, given the residuals of the block (len(S), T)."""
        n = len(C)
        total = torch.zeros(C.shape[1], dtype=torch.float64, device=C.device)
        for other in (slice(0, self.block.start), slice(self.block.stop, n)):
            residual = torch.addmm(C[other], B[other, self.block], heldout, alpha=-1).div_(self.diagonal[other])
            total += residual.square_().sum(dim=0).double()
        return total / (n - len(heldout))


def _inverse(Kc: Tensor, alpha: float) -> Tensor:
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
def precise_enough(alpha: float, Kc: Tensor) -> Iterator[None]:
    """Say of a failed factorisation what the user can change."""
    try:
        yield
    except torch.linalg.LinAlgError:
        raise ValueError(
            f"alpha = {alpha:g} is lost in the rounding of a {str(Kc.dtype).removeprefix('torch.')} Gram matrix whose mean "
            f"diagonal is {Kc.diagonal().mean().item():g}; use float64 or larger alphas"
        ) from None
