"""One array in a file of any common format, and the coordinates of its axes if xarray or BrainIO wrote the file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from cortexscale.arrays import mapped, released_hdf5, require_stored
from cortexscale.datasets.formats.assembly import dimensions_of, values_of
from cortexscale.datasets.formats.matlab import read_numbers
from cortexscale.errors import InputError
from cortexscale.files import require_real_file

REMEDY = "correct `responses` of this dataset, or the file"
SUFFIXES = (".npy", ".npz", ".h5", ".hdf5", ".nc", ".mat", ".zarr")


@dataclass(frozen=True)
class StoredArray:
    """An array in an open file.

    Attributes:
        read: reads the whole array.
        coordinates: axis -> table with a row for each position on the axis. Only files of xarray and BrainIO have such tables.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], np.ndarray]
    coordinates: dict[int, pd.DataFrame] = field(default_factory=dict)


@contextmanager
def open_array(path: Path, variable: str | None) -> Iterator[StoredArray]:
    """Open the array ``variable`` of a file. The name can be None if the file has one array.

    The axes are in the order in which numpy, xarray or MATLAB shows them. Numbers that equal the fill value of the file are nan.

    Raises:
        InputError: the file is missing, damaged or of another format, or its array is missing, has no real numbers, or lacks some
            numbers.
    """
    match path.suffix:
        case ".npy":
            array = _npy(require_real_file(path, REMEDY))
        case ".npz":
            array = _npz(require_real_file(path, REMEDY), variable)
        case ".mat":
            array = read_numbers(path, variable, REMEDY)
        case ".h5" | ".hdf5" | ".nc":
            with released_hdf5(path, "a whole HDF5 or netCDF-4 file", REMEDY) as file:
                yield _hdf5(path, file, variable)
            return
        case ".zarr":
            yield _zarr(path, variable)
            return
        case suffix:
            raise InputError(path, f"the suffix {suffix or 'nothing'}", f"one of {', '.join(SUFFIXES)}", REMEDY)
    yield StoredArray(_numbers(path, array.dtype, array.shape), array.dtype, lambda: array)


def _npy(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, is_fortran, dtype = header(file)
            offset = file.tell()
    except Exception as error:  # numpy reads a header as Python code, so a damaged one may raise anything
        raise _damaged(path, error) from error
    _numbers(path, dtype, shape)
    there, needed = path.stat().st_size - offset, dtype.itemsize * int(np.prod(shape))
    if there < needed:
        raise InputError(path, f"{there:,} bytes of numbers", f"{needed:,} bytes for the shape {shape}", "copy the file again")
    return mapped(path, dtype, offset, shape, "F" if is_fortran else "C")


def _npz(path: Path, variable: str | None) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file[_name(path, file.files, variable)]
    except InputError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        raise _damaged(path, error) from error


def _hdf5(path: Path, file: h5py.File, variable: str | None) -> StoredArray:
    found: dict[str, h5py.Dataset] = {}
    file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    data = found[_name(path, [name for name, item in found.items() if item.ndim > 1], variable)]
    if lacking := [key for key in ("scale_factor", "add_offset") if key in data.attrs]:
        raise InputError(path, f"packed numbers ({lacking[0]})", "plain numbers", "write the array without packing")
    coordinates: dict[int, pd.DataFrame] = {}
    for axis, dim in enumerate(dimensions_of(data)):
        along = {
            name: values_of(item)
            for name, item in found.items()
            if item.shape == data.shape[axis : axis + 1] and dim in (name, *dimensions_of(item)) and not _is_empty(item)
        }
        if along:
            coordinates[axis] = pd.DataFrame(along)
    shape = _numbers(path, data.dtype, data.shape)
    require_stored(path, data, REMEDY)
    fills = [data.fillvalue or None, *(data.attrs.get(name) for name in ("_FillValue", "missing_value"))]
    return StoredArray(shape, data.dtype, lambda: _with_gaps(data[()], fills), coordinates)


def _zarr(path: Path, variable: str | None) -> StoredArray:
    import zarr

    try:
        found = zarr.open(path, mode="r")
        if isinstance(found, zarr.Array):
            _require_blocks(path, found)
            return StoredArray(_numbers(path, found.dtype, found.shape), found.dtype, lambda: np.asarray(found[...]))
        arrays = dict(found.arrays())
        data = arrays[_name(path, [name for name, item in arrays.items() if item.ndim > 1], variable)]
        coordinates: dict[int, pd.DataFrame] = {}
        for axis, dim in enumerate(_zarr_dimensions(data)):
            along = {
                name: np.asarray(item[...])
                for name, item in arrays.items()
                if item.shape == data.shape[axis : axis + 1] and _zarr_dimensions(item) == (dim,)
            }
            if along:
                coordinates[axis] = pd.DataFrame(along)
        _require_blocks(path, data)
        fills = _fills_of_zarr(data)
    except InputError:
        raise
    except Exception as error:  # zarr and its codecs raise many unrelated types
        raise _damaged(path, error) from error
    shape = _numbers(path, data.dtype, data.shape)
    return StoredArray(shape, data.dtype, lambda: _with_gaps(np.asarray(data[...]), fills), coordinates)


def _zarr_dimensions(array: Any) -> tuple[str, ...]:
    """Return the names that xarray gave the axes; in version 2 of zarr, the names are an attribute."""
    named = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    return tuple(named) or ("",) * array.ndim


def _require_blocks(path: Path, array: Any) -> None:
    """Raise an InputError if files of a zarr array are missing and would be read as zeros."""
    if missing := array.nchunks - array.nchunks_initialized if array.fill_value == 0 else 0:
        found = f"{array.nchunks - missing:,} of the {array.nchunks:,} blocks of the array"
        remedy = "copy the folder again; if a block has only zeros, write the array with the setting `write_empty_chunks` of zarr"
        raise InputError(path, found, "a file for every block", remedy)


def _fills_of_zarr(array: Any) -> list[Any]:
    """Return the values that stand for missing numbers. Version 2 of zarr has xarray's fill value in the array itself."""
    from xarray.backends.zarr import FillValueCoder

    fill = array.attrs.get("_FillValue")
    if isinstance(fill, str):
        fill = FillValueCoder.decode(fill, array.dtype)
    return [fill, array.attrs.get("missing_value"), array.fill_value or None]


def _with_gaps(values: np.ndarray, fills: list[Any]) -> np.ndarray:
    """Return the numbers with nan in place of the fill values. Whole numbers with such gaps become float64."""
    gaps = np.isin(values, [np.asarray(fill).ravel()[0] for fill in fills if fill is not None])
    return np.where(gaps, np.nan, values) if gaps.any() else values


def _is_empty(item: h5py.Dataset) -> bool:
    """Whether an item is a netCDF dimension without values."""
    name = item.attrs.get("NAME", b"")
    return item.is_scale and bytes(name).startswith(b"This is a netCDF dimension but not a netCDF variable")


def _name(path: Path, names: list[str], variable: str | None) -> str:
    if variable in names:
        return variable
    if variable is None and len(names) == 1:
        return names[0]
    found = f"the arrays {', '.join(names[:20])}" if names else "no array"
    raise InputError(path, found, f"an array {variable}" if variable else "one array, or `responses.variable`", REMEDY)


def _numbers(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    if dtype.kind not in "iuf":
        raise InputError(path, f"an array of {dtype} of shape {shape}", "real numbers", REMEDY)
    return shape


def _damaged(path: Path, error: Exception) -> InputError:
    found = f"a file that cannot be read ({type(error).__name__}: {error})"
    return InputError(path, found, f"a whole {path.suffix} file", "copy or write the file again")
