"""A writer of MATLAB v7.3 files, which are HDF5 after a 512-byte header. Arrays have reversed axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from cortexscale.arrays import open_hdf5
from cortexscale.files import whole_file

_HEADER_BYTES = 512
_HEADER_TEXT = b"MATLAB 7.3 MAT-file, Platform: simulated, Created on: Thu Jan 01 00:00:00 1970 HDF5 schema 1.00 ."
_VERSION_AND_BYTE_ORDER = b"\x00\x02IM"
_CONTIGUOUS_UP_TO = 8192  # in bytes; MATLAB chunks and compresses larger arrays

Fields = Mapping[str, Sequence[str]]


def write_matlab(path: Path, variables: Mapping[str, np.ndarray | Fields]) -> None:
    """Write variables to a MATLAB v7.3 file. Equal variables give equal bytes. The file appears complete or not at all.

    A variable is either an array or fields. An array is float64, in MATLAB's orientation, at least two-dimensional and not empty.
    Each field has N texts, and no text is empty. The fields are written as a 1 x N struct array.
    """
    with whole_file(path) as part:
        with open_hdf5(part, "w", userblock_size=_HEADER_BYTES) as file:
            for name, value in variables.items():
                if isinstance(value, np.ndarray):
                    compression = {"compression": 3} if value.nbytes > _CONTIGUOUS_UP_TO else {}
                    dataset = file.create_dataset(name, data=value.T, **compression)
                    dataset.attrs["MATLAB_class"] = np.bytes_("double")
                else:
                    _write_texts(file, name, value)
        with part.open("r+b") as file:
            file.write((_HEADER_TEXT.ljust(116) + bytes(8) + _VERSION_AND_BYTE_ORDER).ljust(_HEADER_BYTES, b"\0"))


def _write_texts(file: h5py.File, name: str, fields: Fields) -> None:
    struct = file.create_group(name)
    struct.attrs["MATLAB_class"] = np.bytes_("struct")
    order = np.empty(len(fields), dtype=object)
    order[:] = [np.array(list(field), dtype="S1") for field in fields]
    struct.attrs.create("MATLAB_fields", order, dtype=h5py.vlen_dtype(np.dtype("S1")))
    for field, texts in fields.items():
        references = np.array([_write_text(file, text) for text in texts], dtype=h5py.ref_dtype)
        struct.create_dataset(field, data=references[:, None], dtype=h5py.ref_dtype)


def _write_text(file: h5py.File, text: str) -> h5py.Reference:
    """Store a 1 x n char array in #refs#, and return a reference to it."""
    pool = file.require_group("#refs#")
    if "a" not in pool:  # every MATLAB file has this empty value
        empty = pool.create_dataset("a", data=np.zeros(2, dtype=np.uint64))
        empty.attrs["MATLAB_class"] = np.bytes_("canonical empty")
        empty.attrs["MATLAB_empty"] = np.uint8(1)
    codes = np.frombuffer(text.encode("utf-16-le"), dtype="<u2")
    characters = pool.create_dataset(f"b{len(pool)}", data=codes[:, None])
    characters.attrs["MATLAB_class"] = np.bytes_("char")
    characters.attrs["MATLAB_int_decode"] = np.int32(2)
    characters.attrs["H5PATH"] = np.bytes_(characters.name)
    return characters.ref
