"""Brain-Score assemblies: responses in netCDF-4 files, which are HDF5 files.

A dimension has no values of its own. Each level of the MultiIndex of a dimension is a 1-D variable on this dimension. h5py reads
these files independently of the versions of xarray and brainio that wrote them.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cortexscale.arrays import hdf5_damage, open_hdf5, require_whole_heaps
from cortexscale.datasets.screening import impossible
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import plain
from cortexscale.stimuli.brainscore import ALIASES

DIMENSIONS = ("neuroid", "presentation", "time_bin")
BLOCK_BYTES = 2**24
"""Largest size, in bytes, of a block of float64 responses while an assembly is streamed. A block has at least one unit."""

_LABELS = 2**14  # number of labels that are decoded at a time; decoded labels are large Python objects


@dataclass(frozen=True)
class Assembly:
    """An open assembly."""

    path: Path
    remedy: str  # says where the file comes from
    data: h5py.Dataset  # the responses
    dims: tuple[str, ...]  # names of the axes; their order differs between releases
    labels: dict[str, dict[str, h5py.Dataset]]  # dimension -> name of a coordinate -> coordinate

    def label(self, dim: str, name: str) -> h5py.Dataset:
        """Return a coordinate of ``dim``.

        A coordinate is also found if the file has its name in another release, such as ``image_id`` for ``stimulus_id``.
        """
        found = self.labels[dim].get(name, self.labels[dim].get(ALIASES.get(name, name)))
        if found is None:
            others = ", ".join(sorted(self.labels[dim])) or "none"
            remedy = f"this is another file than the released one. {self.remedy}"
            raise InputError(self.path, f"no coordinate {name} of {dim}; there is {others}", f"the coordinate {name}", remedy)
        return found

    def table(self, dim: str) -> pd.DataFrame:
        """Return a table with all coordinates of ``dim`` as columns. Text is str."""
        with _reading(self.path, self.remedy):
            return pd.DataFrame({name: values_of(data) for name, data in self.labels[dim].items()})

    def coded(self, dim: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the sorted distinct values of a text coordinate, and, for each entry, the position of its value among them."""
        data = self.label(dim, name)
        seen: dict[str, int] = {}
        codes = np.empty(len(data), dtype=np.int64)
        with _reading(self.path, self.remedy):
            for first in range(0, len(data), _LABELS):
                block = slice(first, first + _LABELS)
                codes[block] = [seen.setdefault(value, len(seen)) for value in values_of(data, block)]
        values = np.array(list(seen), dtype=np.str_)
        order = np.argsort(values)
        return values[order], np.argsort(order)[codes]

    def time_bins(self, window: tuple[float, float]) -> slice:
        """Return the bins that cover ``window`` (ms from stimulus onset) without gap or overlap."""
        starts, ends = (self._numbers("time_bin", f"time_bin_{edge}") for edge in ("start", "end"))
        low, high = window
        inside = np.flatnonzero((starts >= low) & (ends <= high))
        first, stop = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
        edges = np.append(starts[first:stop], ends[stop - 1 : stop])
        covers = len(edges) > 1 and edges[0] == low and edges[-1] == high
        touch = np.array_equal(starts[first + 1 : stop], ends[first : max(stop - 1, first)])
        if not (covers and touch and np.allclose(np.diff(edges), edges[1] - edges[0])):
            bins = ", ".join(f"{start:g}-{end:g}" for start, end in list(zip(starts, ends, strict=True))[:3])
            more = " ..." if len(starts) > 3 else ""
            found = f"{len(starts)} time bins ({bins}{more}; the last ends at {ends.max(initial=0):g} ms)"
            remedy = f"correct the option `window`, or take the right file. {self.remedy}"
            raise InputError(self.path, found, f"equal bins that tile {low:g}-{high:g} ms", remedy)
        return slice(int(first), int(stop))

    def _numbers(self, dim: str, name: str) -> np.ndarray:
        data = self.label(dim, name)
        if data.dtype.kind not in "iuf":
            raise InputError(self.path, f"{name} of type {data.dtype}", "numbers", f"take the released file. {self.remedy}")
        with _reading(self.path, self.remedy):
            return data[:]

    def unit_blocks(self, units: np.ndarray, time_bins: slice) -> Iterator[tuple[slice, np.ndarray]]:
        """Average responses over time bins, one block of units at a time.

        ``units`` are ascending positions in the file. For each block, a slice of ``units`` and their float64 responses
        (presentations, units of the slice) are yielded.
        """
        unit_bytes = 8 * self.data.shape[self.dims.index("presentation")] * (time_bins.stop - time_bins.start)
        step = max(1, BLOCK_BYTES // unit_bytes)
        time_axis = self.dims.index("time_bin")
        for first in range(0, len(units), step):
            part = slice(first, min(first + step, len(units)))
            chosen = {"neuroid": units[part], "time_bin": time_bins, "presentation": slice(None)}
            with _reading(self.path, self.remedy):
                block = self.data[tuple(chosen[dim] for dim in self.dims)]
            block = block.mean(axis=time_axis, dtype=np.float64)
            if self.dims.index("neuroid") < self.dims.index("presentation"):
                block = block.T
            bad = impossible(block)
            if bad.any():
                trial, unit = np.argwhere(bad)[0]
                found = f"{bad.sum():,} response{'s' * bool(bad.sum() > 1)}, not finite or far too large"
                place = f"the first in presentation {trial + 1:,} of unit {units[part][unit] + 1:,} of the file"
                remedy = f"the copy is damaged; repeat the download. {self.remedy}"
                raise InputError(self.path, f"{found}, {place}", "no missing response: the release has none", remedy)
            yield part, block


@contextmanager
def open_assembly(path: Path | str, remedy: str) -> Iterator[Assembly]:
    """Open an assembly for reading. Every error message ends with ``remedy``."""
    path = require_real_file(path, remedy)
    require_whole_heaps(path, remedy)
    with _reading(path, remedy):
        file = open_hdf5(path)
    with file:
        with _reading(path, remedy):
            variables = [item for item in file.values() if isinstance(item, h5py.Dataset) and not item.is_scale]
            named = [(variable, dimensions_of(variable)) for variable in variables]
        arrays = [(variable, dims) for variable, dims in named if variable.ndim > 1]
        again = f"take the released file. {remedy}"
        if len(arrays) != 1:
            found = ", ".join(variable.name.strip("/") for variable, _ in arrays) or "no array"
            raise InputError(path, f"the arrays: {found}", "one array of responses", again)
        data, dims = arrays[0]
        if sorted(dims) != sorted(DIMENSIONS):
            raise InputError(path, f"an array over {', '.join(dims)}", f"the dimensions {', '.join(DIMENSIONS)}", again)
        if data.dtype.kind not in "iuf" or data.dtype == np.float16:
            raise InputError(path, f"responses of type {data.dtype}", "integers, float32 or float64", again)
        labels: dict[str, dict[str, h5py.Dataset]] = {dim: {} for dim in dims}
        for variable, (dim, *more) in ((variable, dims) for variable, dims in named if dims):
            if not more and dim in labels:
                name, length = variable.name.strip("/"), data.shape[dims.index(dim)]
                if len(variable) != length:
                    found = f"{len(variable):,} values of the coordinate {name}, and {length:,} responses along {dim}"
                    raise InputError(path, found, "a value for each response", again)
                labels[dim][name] = variable
        yield Assembly(path, remedy, data, dims, labels)


def _reading(path: Path, remedy: str) -> AbstractContextManager[None]:
    """Turn HDF5's errors about a damaged file into an InputError. The code in the ``with`` block must only read."""
    return hdf5_damage(path, "a whole netCDF-4 file", remedy)


def dimensions_of(variable: h5py.Dataset) -> tuple[str, ...]:
    """Return the name of each axis, which is the name of its dimension scale, or "?" if it has none."""
    scales = [axis[0].name if len(axis) else None for axis in variable.dims]  # a scale that was deleted has no name
    return tuple((scale or "?").rsplit("/", 1)[-1] for scale in scales)


def values_of(data: h5py.Dataset, part: slice = slice(None)) -> np.ndarray:
    if not h5py.check_string_dtype(data.dtype):
        return data[part]
    return np.array([plain(text) for text in data.asstr()[part]], dtype=object)
