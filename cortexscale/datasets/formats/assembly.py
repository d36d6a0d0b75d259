"""Brain-Score assemblies: responses in netCDF-4 files, which are HDF5 files.

In memory an assembly has a MultiIndex on every dimension. netCDF cannot store one, so each of its levels is a 1-D
variable of its own, on a dimension that has no values itself. h5py reads these files whatever the versions of xarray and
brainio that wrote them. What the images show (a category, a texture) is not in the assembly but in the stimulus CSV, and
is joined on ``image_id``.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.files import hdf5_damage, require_real_file
from cortexscale.stimuli.brainscore import ALIASES

DIMENSIONS = ("neuroid", "presentation", "time_bin")
BLOCK_BYTES = 2**24
"""Bytes of responses that are held as float64 while an assembly is streamed, unless one unit alone has more."""

_LABELS = 2**14  # labels decoded at a time: as Python objects they are large


@dataclass(frozen=True)
class Assembly:
    """An open assembly.

    Attributes:
        path: the file.
        remedy: where the file comes from.
        data: the responses; the order of the axes differs between releases.
        dims: the names of its axes.
        labels: dimension -> name of a coordinate -> the coordinate.
    """

    path: Path
    remedy: str
    data: h5py.Dataset
    dims: tuple[str, ...]
    labels: dict[str, dict[str, h5py.Dataset]]

    def size(self, dim: str) -> int:
        """Return the length of a dimension."""
        return self.data.shape[self.dims.index(dim)]

    def label(self, dim: str, name: str) -> h5py.Dataset:
        """Return a coordinate of ``dim``. Names of other releases are found too: ``image_id`` and ``stimulus_id`` are the same.

        Raises:
            InputError: there is no such coordinate.
        """
        found = self.labels[dim].get(name, self.labels[dim].get(ALIASES.get(name, name)))
        if found is None:
            others = ", ".join(sorted(self.labels[dim])) or "none"
            raise InputError(
                self.path, f"no coordinate {name} of {dim}; there is {others}", f"the coordinate {name}", self._other_file
            )
        return found

    def table(self, dim: str) -> pd.DataFrame:
        """Return all coordinates of ``dim``, one column each, with text as str."""
        with _reading(self.path, self.remedy):
            return pd.DataFrame({name: _values(data) for name, data in self.labels[dim].items()})

    def coded(self, dim: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct values of a coordinate of text, in order, and the position of each entry among them."""
        data = self.label(dim, name)
        seen: dict[str, int] = {}
        codes = np.empty(len(data), dtype=np.int64)
        with _reading(self.path, self.remedy):
            for first in range(0, len(data), _LABELS):
                block = slice(first, first + _LABELS)
                codes[block] = [seen.setdefault(value, len(seen)) for value in _values(data, block)]
        values = np.array(list(seen), dtype=np.str_)
        order = np.argsort(values)
        return values[order], np.argsort(order)[codes]

    def time_bins(self, window: tuple[float, float]) -> slice:
        """Return the bins that cover ``window`` (ms from stimulus onset) without gap or overlap.

        Raises:
            InputError: there are no such bins.
        """
        starts, ends = (self.label("time_bin", f"time_bin_{edge}")[:] for edge in ("start", "end"))
        low, high = window
        inside = np.flatnonzero((starts >= low) & (ends <= high))
        first, stop = (inside[0], inside[-1] + 1) if len(inside) else (0, 0)
        edges = np.append(starts[first:stop], ends[stop - 1 : stop])
        tiles = (
            len(edges) > 1
            and edges[0] == low
            and edges[-1] == high
            and (starts[first + 1 : stop] == ends[first : stop - 1]).all()
        )
        if not tiles or not np.allclose(np.diff(edges), edges[1] - edges[0]):
            bins = ", ".join(f"{start:g}-{end:g}" for start, end in list(zip(starts, ends, strict=True))[:3])
            raise InputError(
                self.path,
                f"{len(starts)} time bins ({bins}{' ...' if len(starts) > 3 else ''}; the last ends at {ends.max():g} ms)",
                f"equal bins that tile {low:g}-{high:g} ms",
                f"correct the option `window`, or take the right file. {self.remedy}",
            )
        return slice(int(first), int(stop))

    def unit_blocks(self, units: np.ndarray, time_bins: slice) -> Iterator[tuple[slice, np.ndarray]]:
        """Average the responses of some units over time bins, one block of units at a time.

        Args:
            units: positions of the units in the file, ascending.
            time_bins: the bins to average over.

        Yields:
            A slice of ``units``, and its responses (presentations, units of the slice) float64.

        Raises:
            InputError: the file cannot be read to its end, or a response is not finite.
        """
        unit_bytes = 8 * self.size("presentation") * (time_bins.stop - time_bins.start)
        step = max(1, BLOCK_BYTES // unit_bytes)
        time_axis = self.dims.index("time_bin")
        rest = [dim for dim in self.dims if dim != "time_bin"]
        for first in range(0, len(units), step):
            part = slice(first, min(first + step, len(units)))
            chosen = {"neuroid": units[part], "time_bin": time_bins, "presentation": slice(None)}
            with _reading(self.path, self.remedy):
                block = self.data[tuple(chosen[dim] for dim in self.dims)]
            block = block.mean(axis=time_axis, dtype=np.float64)
            block = block if rest == ["presentation", "neuroid"] else block.T
            bad = ~np.isfinite(block).all(axis=0)
            if bad.any():
                raise InputError(
                    self.path,
                    f"responses that are not finite, first in unit {units[part][bad][0] + 1} of the file",
                    "no missing response: the release has none",
                    f"the copy is damaged; repeat the download. {self.remedy}",
                )
            yield part, block

    @property
    def _other_file(self) -> str:
        return f"this is another file than the released one. {self.remedy}"


@contextmanager
def open_assembly(path: Path | str, remedy: str) -> Iterator[Assembly]:
    """Open an assembly for reading.

    Args:
        path: the ``.nc`` file.
        remedy: where it comes from; it ends every message.

    Raises:
        InputError: the file is missing, truncated, a web or error page, a pointer, or not one array over neuroid, presentation
            and time_bin.
    """
    path = require_real_file(path, remedy)
    with _reading(path, remedy):
        file = h5py.File(path, "r")
    with file:
        with _reading(path, remedy):
            variables = [item for item in file.values() if isinstance(item, h5py.Dataset) and not item.is_scale]
            named = [(variable, _dimensions(variable)) for variable in variables]
        arrays = [(variable, dims) for variable, dims in named if variable.ndim > 1]
        if len(arrays) != 1:
            found = ", ".join(variable.name.strip("/") for variable, _ in arrays) or "no array"
            raise InputError(path, f"the arrays: {found}", "one array of responses", f"take the released file. {remedy}")
        data, dims = arrays[0]
        if sorted(dims) != sorted(DIMENSIONS):
            found = f"an array over {', '.join(dims)}"
            raise InputError(path, found, f"the dimensions {', '.join(DIMENSIONS)}", f"take the released file. {remedy}")
        labels: dict[str, dict[str, h5py.Dataset]] = {dim: {} for dim in dims}
        for variable, (dim, *more) in ((variable, dims) for variable, dims in named if dims):
            if not more and dim in labels:
                labels[dim][variable.name.strip("/")] = variable
        yield Assembly(path, remedy, data, dims, labels)


def _reading(path: Path, remedy: str) -> AbstractContextManager[None]:
    """Turn what HDF5 raises for a damaged file into an InputError, for blocks that only read."""
    return hdf5_damage(path, "a whole netCDF-4 file", remedy)


def _dimensions(variable: h5py.Dataset) -> tuple[str, ...]:
    """Return the name of each axis, which is that of the dimension scale attached to it; "?" for an axis without one."""
    scales = [axis[0].name if len(axis) else "?" for axis in variable.dims]
    return tuple(scale.rsplit("/", 1)[-1] for scale in scales)


def _values(data: h5py.Dataset, part: slice = slice(None)) -> np.ndarray:
    return data.asstr()[part].astype(object) if h5py.check_string_dtype(data.dtype) else data[part]
