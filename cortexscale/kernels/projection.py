"""Random projections of wide activations. They preserve inner products and distances in expectation."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

FAMILIES = ("sparse", "countsketch", "gaussian")
_CHUNK = 1024
"""Number of inputs whose Gaussian rows are in memory at a time."""
_PIECES = 16
"""Number of pieces into which a countsketch cuts every n_out inputs. They are few enough to take no extra time, and enough to
break up periods in the activations, such as the channels of tokens."""
_IMAGES = 8
"""Number of images that a CPU projects at a time. With more images, the matrix is read less often; with fewer, activations stay
in the cache. A countsketch takes four times as many images, so that several threads have work."""


@dataclass
class RandomProjection:
    """A random linear map R from n_in to n_out features. It preserves inner products in expectation: E[<Rx, Ry>] = <x, y>.

    The map depends only on the family, n_in, n_out and the seed.

    * ``sparse``: every entry is non-zero with probability 1 / sqrt(n_in) and has a random sign (Li, Hastie & Church 2006, KDD).
      The paper and scikit-learn's SparseRandomProjection do the same.
    * ``countsketch``: every input is added to one output with a random sign (Charikar, Chen & Farach-Colton 2002). All outputs
      get the same number of inputs. Neighbouring inputs move together in pieces of about n_out / 16, so that memory is read in
      order. Two inputs either never share an output, or share one with the same probability as at independent random places.
      Therefore the variance is the same as for independent places. The family is as accurate as ``sparse``, and has n_out /
      sqrt(n_in) times fewer non-zero entries.
    * ``gaussian``: every entry is normally distributed. Entries are drawn again for each call, because the matrix may not fit in
      memory. CPU and CUDA draw different numbers. The other families are the same on all devices.

    A layer of at most ``n_out`` activations is not changed.
    """

    family: str
    n_in: int
    n_out: int
    seed: int
    _matrices: dict[tuple[object, ...], Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"projection family {self.family!r}; the families are {', '.join(FAMILIES)}")
        if self.n_in < 1 or self.n_out < 1:
            raise ValueError(f"a projection from {self.n_in} to {self.n_out} features")

    @property
    def is_identity(self) -> bool:
        return self.n_in <= self.n_out

    @property
    def width(self) -> int:
        """Number of projected features."""
        return min(self.n_in, self.n_out)

    def __call__(self, activations: Tensor) -> Tensor:
        """Project activations (batch, ...) with n_in values per image to (batch, width).

        Any floating dtype and memory order is accepted. Half precision is projected and returned in float32, also under autocast,
        because sums of many activations overflow float16.
        """
        if math.prod(activations.shape[1:]) != self.n_in:
            raise ValueError(f"activations of shape {tuple(activations.shape)} for a projection of {self.n_in} features")
        if self.is_identity:
            return activations.flatten(1)
        x = activations.to(torch.promote_types(activations.dtype, torch.float32))
        with torch.autocast(x.device.type, enabled=False):
            match self.family:
                case "gaussian":
                    return self._gaussian(x.flatten(1))
                case "countsketch":
                    return self._countsketch(x)
                case _:
                    return self._sparse(x).mul_(self.n_in**0.25 / self.n_out**0.5)  # sqrt(1 / density / n_out)

    def _countsketch(self, x: Tensor) -> Tensor:
        key = (x.device, x.dtype)
        if key not in self._matrices:
            self._matrices[key] = torch.from_numpy(self._pieces[1]).to(*key)
        sums, signs = x.new_empty(len(x), self.n_out), self._matrices[key]
        for some, part in zip(*_some_images(4 * _IMAGES, sums, x), strict=True):
            some.zero_()
            part = part.flatten(1)
            for first, last, place in self._pieces[0]:
                some[:, place : place + last - first].addcmul_(part[:, first:last], signs[first:last])
        return sums

    def _sparse(self, x: Tensor) -> Tensor:
        order = sorted(range(1, x.ndim), key=x.stride, reverse=True)
        layout = (tuple(x.shape[1:]), tuple(order)) if order != sorted(order) else None
        key = (x.device, x.dtype, layout)
        if key not in self._matrices:
            self._matrices[key] = self._signs(layout).to(x.device, x.dtype)
        sums = x.new_empty(len(x), self.n_out)
        for some, part in zip(*_some_images(_IMAGES, sums, x.permute(0, *order).flatten(1)), strict=True):
            # Torch transposes matrices with a routine that is slow for few rows. A third dimension of size 1 avoids this.
            table = part[:, None].movedim(0, 2).contiguous()[0]
            some[:, None].copy_((self._matrices[key] @ table).T[:, None])
        return sums

    @cached_property
    def _pieces(self) -> tuple[list[tuple[int, int, int]], np.ndarray]:
        """Draw the pieces of a countsketch (:func:`_balanced_pieces`), and the sign of each input, (n_in,) int8."""
        rng = self._random()
        return _balanced_pieces(rng, self.n_out, self.n_in), _random_signs(rng, self.n_in)

    def _random(self, *stream: int) -> np.random.Generator:
        """Make the random generator of this projection. If numbers ``stream`` are given, it belongs to one part."""
        return np.random.default_rng([self.seed, FAMILIES.index(self.family), self.n_in, self.n_out, *stream])

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
        """Make the (n_out, n_in) matrix of ``sparse`` without its scale, with entries -1, 0 and 1 in compressed rows.

        If activations are stored in another order than their dimensions, columns are moved to match. ``layout`` then has the
        shape of the activations, and their dimensions in the order from slowest to fastest in memory.
        """
        rng = self._random()
        row_starts, columns = _random_entries(rng, self.n_out, self.n_in, self.n_in**-0.5)
        signs = _random_signs(rng, len(columns))
        if layout:
            shape, order = layout
            inputs = np.arange(self.n_in).reshape(shape).transpose([dimension - 1 for dimension in order])
            place = np.empty(self.n_in, int)
            place[inputs.ravel()] = np.arange(self.n_in)
            columns = place[columns]
        starts, places = (torch.from_numpy(part.astype(np.int32)) for part in (row_starts, columns))
        entries = torch.from_numpy(signs.astype(np.float32))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            # The check of invariants requires sorted columns. Products are also correct with unsorted columns.
            return torch.sparse_csr_tensor(starts, places, entries, size=(self.n_out, self.n_in), check_invariants=layout is None)


def _random_entries(rng: np.random.Generator, n_rows: int, n_columns: int, density: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw the non-zero entries of a matrix independently with probability ``density``. Return row starts and columns."""
    size, expected = n_rows * n_columns, n_rows * n_columns * density
    positions = np.full(1, -1)
    while positions[-1] < size:
        gaps = rng.geometric(density, int(expected + 5 * expected**0.5) + 1)
        positions = np.concatenate([positions, positions[-1] + np.cumsum(gaps)])
    positions = positions[1 : np.searchsorted(positions, size)]
    return np.searchsorted(positions, np.arange(n_rows + 1) * n_columns), positions % n_columns


def _some_images(step: int, *tensors: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Split each tensor into parts of ``step`` rows on a CPU, and leave it whole on an accelerator."""
    step = step if tensors[0].device.type == "cpu" else max(len(tensors[0]), 1)
    return (tensor.split(step) for tensor in tensors)


def _random_signs(rng: np.random.Generator, n: int) -> np.ndarray:
    return 2 * rng.integers(0, 2, n, dtype=np.int8) - 1


def _balanced_pieces(rng: np.random.Generator, n_out: int, n_in: int) -> list[tuple[int, int, int]]:
    """Cut n_in inputs into consecutive pieces (first input, one past the last input, first output).

    Every n_out consecutive inputs are cut at random places. The pieces of such a stretch cover each output once, in random order.
    """
    pieces = []
    for stretch in range(0, n_in, n_out):
        cuts = np.concatenate([[0], np.sort(rng.integers(0, n_out + 1, _PIECES - 1)), [n_out]])
        order, place = rng.permutation(_PIECES), int(rng.integers(n_out))
        placed: dict[int, list[tuple[int, int, int]]] = {}
        for number in order:
            first, last = int(cuts[number]), int(cuts[number + 1])
            before_end = min(last, first + n_out - place)
            placed[number] = [(first, before_end, place), (before_end, last, 0)]
            place = (place + last - first) % n_out
        for first, last, output in (part for number in range(_PIECES) for part in placed[number]):
            if first < (last := min(last, n_in - stretch)):
                pieces.append((stretch + first, stretch + last, output))
    return pieces
