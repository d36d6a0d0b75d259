"""Random projections of wide activations, which keep inner products and distances in expectation."""

import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

FAMILIES = ("sparse", "countsketch", "gaussian")
_CHUNK = 1024
"""Inputs whose Gaussian rows exist at a time."""
_IMAGES = 16
"""Images that a CPU projects at a time: 64 bytes of each input, a line of its cache, in a table that stays in the cache."""


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
    _matrix: Tensor | None = field(default=None, init=False, repr=False, compare=False)

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
        """Project (batch, n_in) activations of any floating dtype to (batch, width).

        Half precision is computed and returned in float32, as sums of many activations overflow float16.

        Raises:
            ValueError: activations of another shape.
        """
        if activations.ndim != 2 or activations.shape[1] != self.n_in:
            raise ValueError(f"activations of shape {tuple(activations.shape)} for a projection of {self.n_in} features")
        if self.is_identity:
            return activations
        x = activations.to(torch.promote_types(activations.dtype, torch.float32))
        if self.family == "gaussian":
            return self._gaussian(x)
        if self._matrix is None or (self._matrix.device, self._matrix.dtype) != (x.device, x.dtype):
            self._matrix = self._signs().to(x.device, x.dtype)
        parts = x.split(_IMAGES if x.device.type == "cpu" else max(len(x), 1))
        projected = torch.cat([(self._matrix @ part.T.contiguous()).T for part in parts])
        return projected * self._scale() if self.family == "sparse" else projected

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

    def _signs(self) -> Tensor:
        """The (n_out, n_in) matrix of -1, 0 and 1 in compressed rows."""
        rng = self._random()
        if self.family == "sparse":
            row_starts, columns = _random_entries(rng, self.n_out, self.n_in, self.n_in**-0.5)
        else:
            row_starts, columns = _balanced_buckets(rng, self.n_out, self.n_in)
        signs = 2 * rng.integers(0, 2, len(columns), dtype=np.int8) - 1
        parts = (torch.from_numpy(part.astype(np.int32)) for part in (row_starts, columns))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                *parts, torch.from_numpy(signs.astype(np.float32)), (self.n_out, self.n_in), check_invariants=True
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
