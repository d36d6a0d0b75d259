"""A writer of MATLAB v7.3 files as MATLAB writes them: HDF5 behind a 512-byte header, every array with reversed axes."""

import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from cortexscale.files import whole_file

_HEADER_BYTES = 512
_CONTIGUOUS_UP_TO = 8192  # bytes; MATLAB chunks and compresses larger arrays
_CLASSES = {"float64": "double", "float32": "single", "bool": "logical"}

Records = Sequence[Mapping[str, str]]
Cells = Mapping[str, Sequence[str]]


def write_matlab(path: Path | str, variables: Mapping[str, np.ndarray | Records | Cells]) -> None:
    """Write variables to a MATLAB v7.3 file. Equal variables give equal bytes; the file appears whole or not at all.

    Args:
        path: the .mat file.
        variables: name -> value. A value is one of
            an array in MATLAB's orientation, at least two-dimensional and not empty (a transposed view costs no copy);
            a sequence of records of non-empty texts, written as a 1 x N struct array;
            a mapping of field names to sequences of non-empty texts, written as a scalar struct of 1 x N cell arrays.
    """
    with whole_file(path) as part:
        with h5py.File(part, "w", userblock_size=_HEADER_BYTES) as file:
            for name, value in variables.items():
                if isinstance(value, np.ndarray):
                    _write_array(file, name, value)
                elif isinstance(value, Mapping):
                    _write_texts(file, name, value, cells=True)
                else:
                    _write_texts(file, name, {field: [record[field] for record in value] for field in value[0]}, cells=False)
        with part.open("r+b") as file:
            file.write(_header())


def _header() -> bytes:
    text = b"MATLAB 7.3 MAT-file, Platform: simulated, Created on: Thu Jan 01 00:00:00 1970 HDF5 schema 1.00 ."
    version_and_byte_order = b"\x00\x02IM"
    return (text.ljust(116) + bytes(8) + version_and_byte_order).ljust(_HEADER_BYTES, b"\0")


def _write_array(file: h5py.File, name: str, array: np.ndarray) -> None:
    stored = array.T.astype(np.uint8) if array.dtype == bool else array.T
    compression = {"compression": 3} if array.nbytes > _CONTIGUOUS_UP_TO else {}
    dataset = file.create_dataset(name, data=stored, **compression)
    dataset.attrs["MATLAB_class"] = np.bytes_(_CLASSES.get(array.dtype.name, array.dtype.name))
    if array.dtype == bool:
        dataset.attrs["MATLAB_int_decode"] = np.int32(1)


def _write_texts(file: h5py.File, name: str, fields: Cells, cells: bool) -> None:
    struct = file.create_group(name)
    struct.attrs["MATLAB_class"] = np.bytes_("struct")
    if len(fields) > 1:  # as in MATLAB's own files
        letters = h5py.vlen_dtype(np.dtype("S1"))
        order = np.empty(len(fields), dtype=object)
        order[:] = [np.array(list(field), dtype="S1") for field in fields]
        struct.attrs.create("MATLAB_fields", order, dtype=letters)
    for field, texts in fields.items():
        references = np.array([_write_text(file, text) for text in texts], dtype=h5py.ref_dtype)
        dataset = struct.create_dataset(field, data=references[:, None], dtype=h5py.ref_dtype)
        if cells:
            dataset.attrs["MATLAB_class"] = np.bytes_("cell")
            dataset.attrs["H5PATH"] = np.bytes_(struct.name)


def _write_text(file: h5py.File, text: str) -> h5py.Reference:
    """Store a 1 x n char array in #refs#, and return a reference to it."""
    pool = file.require_group("#refs#")
    if "a" not in pool:  # MATLAB's shared empty value
        empty = pool.create_dataset("a", data=np.zeros(2, dtype=np.uint64))
        empty.attrs["MATLAB_class"] = np.bytes_("canonical empty")
        empty.attrs["MATLAB_empty"] = np.uint8(1)
    codes = np.frombuffer(text.encode("utf-16-le"), dtype="<u2")
    characters = pool.create_dataset(_short_name(len(pool)), data=codes[:, None])
    characters.attrs["MATLAB_class"] = np.bytes_("char")
    characters.attrs["MATLAB_int_decode"] = np.int32(2)
    characters.attrs["H5PATH"] = np.bytes_(characters.name)
    return characters.ref


def _short_name(index: int) -> str:
    """Return the name of an entry of #refs#: a, b, ..., z, A, ..., Z, aa, ab, ..."""
    name = ""
    while index >= 0:
        index, letter = divmod(index, len(string.ascii_letters))
        name, index = string.ascii_letters[letter] + name, index - 1
    return name
