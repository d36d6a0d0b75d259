"""The Gram matrix of a layer. Ridge, RSA and CKA are computed from it and do not need the features."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_COLUMNS = 2048
"""Number of features that are centred, and whose products are computed, at a time."""
_SMALLEST = 200
"""Largest number of stimuli for which the whole matrix is computed. For more stimuli, only the lower triangle is computed."""


@dataclass(frozen=True)
class GramMatrix:
    """Inner products K (n, n) between the feature vectors of n stimuli, centred by their mean over these stimuli.

    RSA correlates stimuli i and j across features that are not centred. Their covariance across the p = ``width`` features, times
    p, is K_ij - s_i s_j / p + w_i + w_j. Here s_i (``row_sums``) is the sum of the centred features x_i of a stimulus, and w_i
    (``mean_products``) is <x_i, d> + <d, d> / 2, where d is the mean feature vector minus its own mean. Both are float64.
    """

    K: Tensor
    width: int
    row_sums: Tensor
    mean_products: Tensor

    def subset(self, rows: np.ndarray | slice) -> "GramMatrix":
        """Select some of the stimuli. The features are not centred again. If ``rows`` is a slice, the new K is a view of K."""
        K = self.K[rows, rows] if isinstance(rows, slice) else self.between(rows, rows)
        index = rows if isinstance(rows, slice) else torch.as_tensor(rows, device=K.device)
        return GramMatrix(K, self.width, self.row_sums[index], self.mean_products[index])

    def between(self, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        """Copy a block (len(rows), len(columns)) of K, for example test stimuli by training stimuli."""
        row_index, column_index = (torch.as_tensor(index, device=self.K.device) for index in (rows, columns))
        return self.K[row_index[:, None], column_index]


def gram(
    slabs: Iterable[np.ndarray | Tensor], dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> GramMatrix:
    """Compute the Gram matrix (n, n) of a layer from slabs (n, w) of feature columns, one slab at a time.

    Slabs may differ in width and floating dtype. Besides K, memory holds a work space of ``_COLUMNS`` columns. Each column is
    centred before products are computed, because an offset that all stimuli share would use up the digits of float32. Ridge and
    CKA do not depend on this offset, and RSA restores it from ``mean_products``. For the same reason, the mean feature vector is
    stored minus its own mean.
    """
    K: Tensor | None = None
    work: Tensor | None = None
    offset: Tensor | None = None
    width, sums, products = 0, *(torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))
    for slab in map(torch.as_tensor, slabs):
        if K is None:
            K = torch.zeros(len(slab), len(slab), dtype=dtype, device=device)
        if slab.ndim != 2 or len(slab) != len(K):
            raise ValueError(f"a slab of shape {tuple(slab.shape)} after slabs of {len(K)} stimuli")
        for part in slab.split(_COLUMNS, dim=1):
            precision = torch.promote_types(part.dtype, dtype)
            if work is None or work.dtype != precision:  # allocating memory for each slab would take longer than centring it
                work = torch.empty(len(part), _COLUMNS, dtype=precision, device=device)
            x = work[:, : part.shape[1]].copy_(part)
            x.sub_(x[0].clone())  # a constant feature becomes exactly 0
            mean = x.mean(dim=0)
            if not mean.isfinite().all():  # one value that is not finite is enough, so this checks all values
                raise ValueError(_describe_not_finite(part, width))
            _add_lower(K, x.sub_(mean).to(dtype))
            mean = mean.add_(part[0].to(x)).double()
            offset = mean.mean() if offset is None else offset
            mean = mean - offset
            sums = sums + (x @ torch.stack([torch.ones_like(mean), mean], dim=1).to(x)).double()
            products = products + torch.stack([mean.sum(), mean @ mean])
            width += part.shape[1]
    if K is None:
        raise ValueError("a Gram matrix of no features")
    mirror(K)
    s, with_mean = sums.T
    of_mean, square = products
    return GramMatrix(K, width, s.contiguous(), with_mean - of_mean / width * s + (square - of_mean**2 / width) / 2)


def _describe_not_finite(slab: Tensor, first_feature: int) -> str:
    """Describe the first value of a slab that is not finite, or the largest value if a sum overflowed."""
    row, column = divmod(int(slab.abs().nan_to_num(nan=torch.inf).argmax()), slab.shape[1])
    return f"feature {first_feature + column} of stimulus {row} is {slab[row, column].item()}"


def centred(K: Tensor) -> Tensor:
    """Return a centred copy of K: the Gram matrix of the features minus their mean over the stimuli of K."""
    mean = K.mean(dim=0)
    return (K - mean).sub_(mean[:, None]).add_(mean.mean())


def _add_lower(K: Tensor, x: Tensor) -> None:
    """Add x x' to K on and below the diagonal. This halves the cost; torch has no symmetric rank-k update."""
    n = len(K)
    if n <= _SMALLEST:
        K.addmm_(x, x.T)
        return
    half = n // 2
    _add_lower(K[:half, :half], x[:half])
    K[half:, :half].addmm_(x[half:], x[:half].T)
    _add_lower(K[half:, half:], x[half:])


def mirror(K: Tensor) -> None:
    """Copy the lower triangle of K onto the upper one, in place and without a second matrix."""
    step = 1024
    for start in range(0, len(K), step):
        stop = start + step
        corner = K[start:stop, start:stop]
        corner.copy_(corner.tril() + corner.tril(-1).T)
        K[start:stop, stop:] = K[stop:, start:stop].T
