"""The Gram matrix of a layer: all that ridge, RSA and CKA need to know of its features."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_COLUMNS = 2048
"""Features that are centred and squared at a time."""
_SMALLEST = 200
"""Stimuli whose products are made as a whole square."""


@dataclass(frozen=True)
class GramMatrix:
    """Inner products between the feature vectors of n stimuli.

    Attributes:
        K: (n, n) symmetric; the features are centred by their mean over these n stimuli.
        width: number of features p that were summed.
        row_sums, mean_products: (n,) float64, s and w below.

    Correlating two stimuli across features needs the features as they were. What centring took out is kept in two vectors:
    their covariance across features, times p, is K_ij - s_i s_j / p + w_i + w_j. s holds sums of the centred features over
    p; with d the deviation of the mean feature vector from its own mean over p, w_i = <x_i, d> + <d, d> / 2.
    """

    K: Tensor
    width: int
    row_sums: Tensor
    mean_products: Tensor

    def subset(self, rows: np.ndarray | slice) -> "GramMatrix":
        """The same features of some of the stimuli, in their order; views if ``rows`` is a slice. Centred as before."""
        K = self.K[rows, rows] if isinstance(rows, slice) else self.among(rows)
        rows = rows if isinstance(rows, slice) else torch.as_tensor(rows, device=K.device)
        return GramMatrix(K, self.width, self.row_sums[rows], self.mean_products[rows])

    def among(self, rows: np.ndarray) -> Tensor:
        """(len(rows), len(rows)) copy of K for some of the stimuli, in their order."""
        return self.between(rows, rows)

    def between(self, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        """(len(rows), len(columns)) copy of K, e.g. test stimuli by training stimuli."""
        rows, columns = (torch.as_tensor(index, device=self.K.device) for index in (rows, columns))
        return self.K[rows[:, None], columns]


class GramAccumulator:
    """Adds up the Gram matrix of a layer from slabs of its columns, as they are read or extracted.

    Holds K and a work space of ``_COLUMNS`` columns. Each column is centred before it is squared. Ridge, centred RSA and CKA
    do not depend on that shift, but an offset common to all stimuli would use up the digits of float32.

    Args:
        dtype: float32 or float64, of products and sums.
        device: where K is built and stays.
    """

    def __init__(self, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"):
        self.dtype, self.device, self.width = dtype, device, 0
        self._K: Tensor | None = None
        self._work: Tensor | None = None
        self._mean = _MeanFeature()

    def add(self, slab: np.ndarray | Tensor) -> None:
        """Add features, an (n, w) array of any floating dtype: all n stimuli, every feature once, widths may differ.

        Raises:
            ValueError: a slab of another n, or a value that is not finite (names stimulus and feature).
        """
        slab = torch.as_tensor(slab)
        if self._K is None:
            self._K = torch.zeros(len(slab), len(slab), dtype=self.dtype, device=self.device)
        if slab.ndim != 2 or len(slab) != len(self._K):
            raise ValueError(f"a slab of shape {tuple(slab.shape)} after slabs of {len(self._K)} stimuli")
        for part in slab.split(_COLUMNS, dim=1):
            x = self._work_space(part)
            x.copy_(part)
            x.sub_(x[0].clone())  # makes a constant feature exactly 0, which its rounded mean would not
            mean = x.mean(dim=0)
            if not mean.isfinite().all():  # one bad value spoils its column's mean: far cheaper than to look at every value
                raise ValueError(_largest(part, self.width))
            _add_lower(self._K, x.sub_(mean).to(self.dtype))
            self._mean.add(x, mean.add_(part[0].to(x)))
            self.width += part.shape[1]

    def result(self) -> GramMatrix:
        """The Gram matrix of what was added. Hands K over: nothing can be added afterwards.

        Raises:
            ValueError: nothing was added.
        """
        if self._K is None:
            raise ValueError("a Gram matrix of no features")
        K, self._K, self._work = self._K, None, None
        mirror(K)
        return GramMatrix(K, self.width, *self._mean.sums(self.width))

    def _work_space(self, part: Tensor) -> Tensor:
        """Uninitialised, of the shape of ``part``: new memory for each slab would cost more time than its centring."""
        dtype = torch.promote_types(part.dtype, self.dtype)
        if self._work is None or self._work.dtype != dtype:
            self._work = torch.empty(len(part), _COLUMNS, dtype=dtype, device=self.device)
        return self._work[:, : part.shape[1]]


class _MeanFeature:
    """Adds up what :class:`GramMatrix` keeps of the mean feature vector m: s and w.

    m is taken less its mean over the first slab, which w does not depend on, as an offset would use up the digits.
    """

    def __init__(self):
        self._offset = None

    def add(self, x: Tensor, mean: Tensor) -> None:
        """Centred features (n, w) and their means (w,) before that."""
        mean = mean.double()
        if self._offset is None:
            self._offset, self._sums, self._products = mean.mean(), 0.0, 0.0
        mean = mean - self._offset
        ones = torch.ones_like(mean)
        self._sums = self._sums + (x @ torch.stack([ones, mean], dim=1).to(x)).double()
        self._products = self._products + torch.stack([mean.sum(), mean @ mean])

    def sums(self, width: int) -> tuple[Tensor, Tensor]:
        """s and w, (n,) float64 each."""
        s, with_mean = self._sums.T
        of_mean, square = self._products
        return s.contiguous(), with_mean - of_mean / width * s + (square - of_mean**2 / width) / 2


def gram(
    slabs: Iterable[np.ndarray | Tensor], dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> GramMatrix:
    """The Gram matrix of slabs of columns: see :class:`GramAccumulator`, which names the errors."""
    accumulator = GramAccumulator(dtype, device)
    for slab in slabs:
        accumulator.add(slab)
    return accumulator.result()


def _largest(slab: Tensor, first_feature: int) -> str:
    """Name the value of a slab that is not finite, or the one whose sums overflow."""
    row, column = divmod(slab.abs().nan_to_num(nan=torch.inf).argmax().item(), slab.shape[1])
    return f"feature {first_feature + column} of stimulus {row} is {slab[row, column].item()}"


def centred(K: Tensor) -> Tensor:
    """Gram matrix of the same features centred by their mean over these rows (a copy)."""
    mean = K.mean(dim=0)
    return (K - mean).sub_(mean[:, None]).add_(mean.mean())


def _add_lower(K: Tensor, x: Tensor) -> None:
    """Add x x' to K on and below the diagonal, at the cost of half a square. torch has no symmetric rank-k update.

    Halves of the stimuli, halves of those, and so on: nearly all of the work is in large products.
    """
    n = len(K)
    if n <= _SMALLEST:
        K.addmm_(x, x.T)
        return
    half = n // 2
    _add_lower(K[:half, :half], x[:half])
    K[half:, :half].addmm_(x[half:], x[:half].T)
    _add_lower(K[half:, half:], x[half:])


def mirror(K: Tensor) -> None:
    """Copy the lower triangle of K onto the upper, in place. Never holds a second matrix."""
    step = 1024
    for start in range(0, len(K), step):
        stop = start + step
        corner = K[start:stop, start:stop]
        corner.copy_(corner.tril() + corner.tril(-1).T)
        K[start:stop, stop:] = K[stop:, start:stop].T
