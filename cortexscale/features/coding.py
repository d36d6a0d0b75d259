"""Features in float16, with an offset for each feature and a scale for each layer.

A float16 has 11 significant bits and ends at 65,504. Features that vary little around a large mean, or that are tiny or huge,
would lose most of their digits. Therefore a store has the numbers (x - offset) / scale in place of a feature x. Its error is then
at most 2^-11 of the distance of x from the offset, whatever the mean and the scale of the features are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import zarr

from cortexscale.features.blocks import COLUMNS
from cortexscale.features.image_sets import runs
from cortexscale.features.unfinished_store import UnfinishedStore

FIRST = 64
"""Number of first rows that decide offset and scale, whatever the batch size is."""
_LARGEST = 4
"""Exponent of a power of two. The largest number of a usual row is stored as a number below 2^4, so that other numbers can be
4,000 times as large. Features that are 100,000 times smaller than the largest one keep their digits."""
_SMALLEST_EXPONENT = -120
"""Exponent of the smallest scale. The inverse of every scale is far from the largest float32."""


@dataclass(frozen=True)
class Coding:
    """The float16 numbers (x - offset) / scale stand for the features x of a layer.

    ``offset`` (width,) is float32. ``scale`` is a power of two, so that dividing by it rounds nothing.
    """

    offset: np.ndarray
    scale: float

    @classmethod
    def of(cls, rows: np.ndarray) -> "Coding":
        """Choose the median of the first rows (n, width) as the offset, and the scale by the largest distance in a usual row.

        A distance is the absolute difference of a feature and its offset. A few unusual or infinite rows have no influence.
        Constant features, and the zeros of sparse features, are stored exactly.
        """
        rows = rows[:FIRST].astype(np.float32, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):
            offset = np.median(rows, axis=0)
            offset[~np.isfinite(offset)] = 0
            distance = np.abs(rows - offset)
        of_rows = np.where(np.isfinite(distance), distance, 0).max(axis=1)
        largest = np.median(of_rows) or of_rows.max()
        exponent = int(np.frexp(largest)[1]) - _LARGEST if largest else 0
        return cls(offset, 2.0 ** max(exponent, _SMALLEST_EXPONENT))

    def encoded(self, rows: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Return the float16 numbers of features (n, columns). A number beyond the range of float16 becomes infinite."""
        distance = torch.from_numpy(rows).to(torch.float32) - torch.from_numpy(self.offset[columns])
        return distance.mul_(1 / self.scale).to(torch.float16).numpy()

    def decoded(self, stored: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Return the float32 features (n, columns) of float16 numbers."""
        rows = torch.from_numpy(stored).to(torch.float32)
        return rows.mul_(self.scale).add_(torch.from_numpy(self.offset[columns])).numpy()

    def write(self, store: UnfinishedStore, name: str) -> None:
        """Write offset and scale of the array ``name``."""
        store.create(_beside(name), self.offset.shape, self.offset.shape, "f4", scale=self.scale)
        store.write(_beside(name), (0,), self.offset, self.offset.shape)

    @classmethod
    def of_earlier_run(cls, store: UnfinishedStore, name: str) -> "Coding":
        """Read what :meth:`write` wrote into a store that is not finished."""
        offset, described = (store.content(f"{_beside(name)}/{file}") for file in ("c/0", "zarr.json"))
        return cls(np.frombuffer(offset, "<f4").copy(), json.loads(described)["attributes"]["scale"])


class CodedArray:
    """Features (n_rows, width) in a finished store, which are read as float32."""

    def __init__(self, group: zarr.Group, name: str) -> None:
        stored, offset = group[name], group[_beside(name)]
        assert isinstance(stored, zarr.Array) and isinstance(offset, zarr.Array), f"{name} is a group of arrays"
        self.stored, self.shape = stored, stored.shape
        self.coding = Coding(np.asarray(offset[:]), float(offset.attrs["scale"]))  # type: ignore[arg-type]

    def __getitem__(self, key: slice | tuple[slice, slice]) -> np.ndarray:
        """Read a slice of the rows, or a slice of the rows and a slice of the columns."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        return self.coding.decoded(np.asarray(self.stored[rows, columns]), columns)

    def slabs(self, rows: np.ndarray | None = None, columns: int = COLUMNS) -> Iterator[np.ndarray]:
        """Yield slabs (rows, <= columns), for all rows or for some rows in ascending order."""
        stretches = [slice(None)] if rows is None else runs(rows)
        for start in range(0, self.shape[1], columns):
            parts = [self[stretch, start : start + columns] for stretch in stretches]
            yield parts[0] if len(parts) == 1 else np.concatenate(parts)


def _beside(name: str) -> str:
    """Name the array that has the offsets of the array ``name``. No module of a network has a name that begins with a period."""
    return f".offsets/{name}"
