"""The Gram matrix of a layer: all that ridge, RSA and CKA need to know of its features."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class GramMatrix:
    """Inner products between the feature vectors of n stimuli.

    Attributes:
        K: (n, n) symmetric; the features are centred by their mean over these n stimuli.
        width: number of features p that were summed.
    """

    K: Tensor
    width: int

    def among(self, rows: np.ndarray) -> Tensor:
        """(len(rows), len(rows)) copy of K for some of the stimuli, in their order."""
        return self.between(rows, rows)

    def between(self, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        """(len(rows), len(columns)) copy of K, e.g. test stimuli by training stimuli."""
        rows, columns = (torch.as_tensor(index, device=self.K.device) for index in (rows, columns))
        return self.K[rows[:, None], columns]


def gram(
    slabs: Iterable[np.ndarray | Tensor], dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> GramMatrix:
    """Accumulate the Gram matrix from column slabs, holding K and one slab.

    Each column is centred before it is squared. Ridge, centred RSA and CKA do not depend on that shift, but an offset
    common to all stimuli would use up the digits of float32.

    Args:
        slabs: (n, w) arrays of any floating dtype, every feature in exactly one of them, widths may differ.
        dtype: float32 or float64, of products and sums.
        device: where K is built and stays.

    Raises:
        ValueError: no slab, slabs of different n, or a value that is not finite (names stimulus and feature).
    """
    K, width = None, 0
    for slab in slabs:
        x = torch.as_tensor(slab, device=device)
        x = x.to(torch.promote_types(x.dtype, dtype))
        if K is None:
            K = torch.zeros(len(x), len(x), dtype=dtype, device=device)
        if x.ndim != 2 or len(x) != len(K):
            raise ValueError(f"a slab of shape {tuple(x.shape)} after slabs of {len(K)} stimuli")
        x = x - x[0]  # makes a constant feature exactly 0, which its rounded mean would not
        mean = x.mean(dim=0)
        if not mean.isfinite().all():  # one bad value spoils its column's mean: far cheaper than to look at every value
            raise ValueError(_largest(slab, width))
        _add_lower_blocks(K, x.sub_(mean).to(dtype))
        width += x.shape[1]
    if K is None:
        raise ValueError("a Gram matrix of no features")
    _mirror(K)
    return GramMatrix(K, width)


def _largest(slab: np.ndarray | Tensor, first_feature: int) -> str:
    """Name the value of a slab that is not finite, or the one whose sums overflow."""
    slab = torch.as_tensor(slab)
    row, column = divmod(slab.abs().nan_to_num(nan=torch.inf).argmax().item(), slab.shape[1])
    return f"feature {first_feature + column} of stimulus {row} is {slab[row, column].item()}"


def centred(K: Tensor) -> Tensor:
    """Gram matrix of the same features centred by their mean over these rows (a copy)."""
    mean = K.mean(dim=0)
    return (K - mean).sub_(mean[:, None]).add_(mean.mean())


def _block_rows(n: int) -> int:
    """Rows of one block: few enough to skip nearly half of the square, enough to run at the speed of a full product."""
    return max(256, n // 8)


def _add_lower_blocks(K: Tensor, x: Tensor) -> None:
    """Add x x' to the blocks of K on and below the diagonal. torch has no symmetric rank-k update."""
    step = _block_rows(len(K))
    for start in range(0, len(K), step):
        stop = min(start + step, len(K))
        K[start:stop, :stop].addmm_(x[start:stop], x[:stop].T)


def _mirror(K: Tensor) -> None:
    """Copy the lower triangle of K onto the upper, in place. Never holds a second matrix."""
    step = _block_rows(len(K))
    for start in range(0, len(K), step):
        stop = start + step
        corner = K[start:stop, start:stop]
        corner.copy_(corner.tril() + corner.tril(-1).T)
        K[start:stop, stop:] = K[stop:, start:stop].T
