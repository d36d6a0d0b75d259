"""Random projections of wide activations, which keep inner products and distances in expectation."""

import math
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

FAMILIES = ("sparse", "countsketch", "gaussian")
_CHUNK = 1024
"""Inputs whose Gaussian rows exist at a time."""
_IMAGES = 8
"""Images that a CPU projects at a time: enough to read a matrix seldom, few enough for a table that stays in the cache."""


@dataclass
class Projection:
    """A random linear map from n_in to n_out features, the same for every layer of that width.

    Families, all with E[<Rx, Ry>] = <x, y>:

    * ``sparse``: every entry is non-zero with probability 1 / sqrt(n_in), of either sign (Li, Hastie & Church 2006,
      KDD). The law of scikit-learn's SparseRandomProjection and of the paper.
    * ``countsketch``: every input is added, with a random sign, to one output; the outputs take equally many inputs
      (Charikar, Chen & Farach-Colton 2002, with balanced buckets). As accurate, with n_out / sqrt(n_in) times
      fewer non-zero entries.
    * ``gaussian``: every entry is normal. Drawn anew in chunks for each call, since it may exceed any memory, on the
      device of the activations: CPU and CUDA draw different numbers. The other families are the same everywhere.

    Attributes:
        family: one of ``FAMILIES``.
        n_in: flattened width of the activations.
        n_out: most features wanted. A layer that is not wider passes unchanged.
        seed: one seed gives one matrix per family, n_in and n_out.
    """

    family: str
    n_in: int
    n_out: int
    seed: int
    _matrices: dict[tuple, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ValueError(f"projection family {self.family!r}; the families are {', '.join(FAMILIES)}")
        if self.n_in < 1 or self.n_out < 1:
            raise ValueError(f"a projection from {self.n_in} to {self.n_out} features")

    @property
    def is_identity(self) -> bool:
        return self.n_in <= self.n_out

    @property
    def width(self) -> int:
        """Number of features that come out."""
        return min(self.n_in, self.n_out)

    def __call__(self, activations: Tensor) -> Tensor:
        """Project activations of any floating dtype, (batch, ...) with n_in values each, to (batch, width).

        They count in the order of their indices, and are read in that of memory: a convolution that puts channels last
        costs no copy. Half precision is computed and returned in float32, under autocast too, as sums of many
        activations overflow float16.

        Raises:
            ValueError: activations of another shape.
        """
        if math.prod(activations.shape[1:]) != self.n_in:
            raise ValueError(f"activations of shape {tuple(activations.shape)} for a projection of {self.n_in} features")
        if self.is_identity:
            return activations.flatten(1)
        x = activations.to(torch.promote_types(activations.dtype, torch.float32))
        with torch.autocast(x.device.type, enabled=False):
            if self.family == "gaussian":
                return self._gaussian(x.flatten(1))
            projected = self._signed_sums(x)
        return projected.mul_(self._scale()) if self.family == "sparse" else projected

    def _signed_sums(self, x: Tensor) -> Tensor:
        order = sorted(range(1, x.ndim), key=x.stride, reverse=True)
        layout = (tuple(x.shape[1:]), tuple(order)) if order != sorted(order) else None
        key = (x.device, x.dtype, layout)
        if key not in self._matrices:
            self._matrices[key] = self._signs(layout).to(x.device, x.dtype)
        x = x.permute(0, *order).flatten(1)
        sums, step = x.new_empty(len(x), self.n_out), _IMAGES if x.device.type == "cpu" else max(len(x), 1)
        for some, part in zip(sums.split(step), x.split(step), strict=True):
            # The dimension of size 1 keeps torch from its routine for transposing matrices, which is slower for so few rows.
            table = part[:, None].movedim(0, 2).contiguous()[0]
            some[:, None].copy_((self._matrices[key] @ table).T[:, None])
        return sums

    def _random(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, FAMILIES.index(self.family), self.n_in, self.n_out, *stream])

    def _scale(self) -> float:
        return self.n_in**0.25 / self.n_out**0.5  # sqrt(1 / density) / sqrt(n_out)

    def _gaussian(self, x: Tensor) -> Tensor:
        projected = x.new_zeros(len(x), self.n_out)
        generator = torch.Generator(x.device)
        for first in range(0, self.n_in, _CHUNK):
            generator.manual_seed(int(self._random(first).integers(2**63)))
            rows = min(_CHUNK, self.n_in - first)
            entries = torch.randn(rows, self.n_out, generator=generator, device=x.device, dtype=x.dtype)
            projected.addmm_(x[:, first : first + rows], entries)
        return projected.div_(self.n_out**0.5)

    def _signs(self, layout: tuple[tuple[int, ...], tuple[int, ...]] | None) -> Tensor:
        """The (n_out, n_in) matrix of -1, 0 and 1 in compressed rows.

        Args:
            layout: shape of the activations of an image, and their dimensions (from 1) from the slowest to the fastest in
                memory. Columns move with the activations, and are summed in the same order.
        """
        rng = self._random()
        if self.family == "sparse":
            row_starts, columns = _random_entries(rng, self.n_out, self.n_in, self.n_in**-0.5)
        else:
            row_starts, columns = _balanced_buckets(rng, self.n_out, self.n_in)
        signs = 2 * rng.integers(0, 2, len(columns), dtype=np.int8) - 1
        if layout:
            shape, order = layout
            inputs = np.arange(self.n_in).reshape(shape).transpose([dimension - 1 for dimension in order])
            place = np.empty(self.n_in, int)
            place[inputs.ravel()] = np.arange(self.n_in)
            columns = place[columns]
        parts = (torch.from_numpy(part.astype(np.int32)) for part in (row_starts, columns))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            # The invariants ask for sorted columns, which products do not need.
            return torch.sparse_csr_tensor(
                *parts, torch.from_numpy(signs.astype(np.float32)), (self.n_out, self.n_in), check_invariants=layout is None
            )


def _random_entries(rng: np.random.Generator, n_rows: int, n_columns: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    """Row starts and columns of a matrix whose entries are non-zero independently, each with probability ``density``.

    The gaps between such entries are geometric, so only the non-zero ones are drawn.
    """
    size, expected = n_rows * n_columns, n_rows * n_columns * density
    positions = np.full(1, -1)
    while positions[-1] < size:
        gaps = rng.geometric(density, int(expected + 5 * expected**0.5) + 1)
        positions = np.concatenate([positions, positions[-1] + np.cumsum(gaps)])
    positions = positions[1 : np.searchsorted(positions, size)]
    return np.searchsorted(positions, np.arange(n_rows + 1) * n_columns), positions % n_columns


def _balanced_buckets(rng: np.random.Generator, n_rows: int, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Row starts and columns of a matrix with one entry per column, spread over the rows as evenly as it goes."""
    row_of_column = rng.permutation(np.arange(n_columns) % n_rows)
    counts = np.bincount(row_of_column, minlength=n_rows)
    return np.concatenate([[0], np.cumsum(counts)]), np.argsort(row_of_column, kind="stable")
