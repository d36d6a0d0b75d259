"""Reading of Python dictionaries in ``.npy`` files. Code that a file may contain is never run.

``np.save`` writes a dictionary as a pickle, and a pickle can call any function while it is loaded. The unpickler here accepts
only the names from which numpy arrays are rebuilt. It does not use numpy's own functions, because the states of ``numpy.ndarray``
and ``numpy.dtype`` can be forged so that an array of objects points anywhere in memory.
"""

import math
import os
import pickle
import re
from io import FileIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cortexscale.arrays import mapped
from cortexscale.errors import InputError
from cortexscale.files import require_real_file

_LARGE = 2**20  # in bytes; arrays of at least this size are mapped and not read


class _Source:
    """A file for an unpickler. The bytes of large arrays stay in the file, and their offsets and lengths are recorded.

    The unpickler gets uninitialised memory instead of these bytes. This memory only takes address space, and only for a moment.
    """

    def __init__(self, path: Path, file: FileIO):
        self.path = path
        self.skipped: list[tuple[int, int]] = []  # offset and length of the bytes of large arrays that are not built yet
        self._file, self._size = file, path.stat().st_size

    def read(self, size: int) -> bytes:
        return bytes(size) if self._skip(size) else self._file.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return len(buffer) if self._skip(len(buffer)) else self._file.readinto(buffer)

    def readline(self) -> bytes:
        return self._file.readline()

    def _skip(self, size: int) -> bool:
        if size < _LARGE:
            return False
        offset = self._file.tell()
        if offset + size > self._size:
            raise EOFError(f"{offset + size - self._size:,} bytes are missing")
        self.skipped.append((offset, size))
        self._file.seek(size, os.SEEK_CUR)
        return True


class _Type:
    """A stand-in for a ``numpy.dtype`` of plain numbers, text or objects."""

    def __init__(self, code: str, *_: bool):
        if not re.fullmatch(r"[biufcSUO]\d+", code):
            raise pickle.UnpicklingError(f"an array of type {code}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, order, subtype, names, fields, *_ = state
        if (subtype, names, fields) != (None, None, None):
            raise pickle.UnpicklingError("an array of records")
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """A stand-in for an array until the whole pickle is loaded."""

    def __init__(self, source: _Source):
        self._source = source

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, self._shape, kind, fortran, self._data = state
        self._dtype: np.dtype[Any] = kind.dtype
        self._order: Literal["F", "C"] = "F" if fortran else "C"
        count = math.prod(self._shape)
        size = self._dtype.itemsize * count
        if self._dtype.hasobject:
            fits = type(self._data) is list and len(self._data) == count and not fortran
        else:
            fits = type(self._data) is bytes and len(self._data) == size
        if fits and size >= _LARGE and not self._dtype.hasobject:
            self._data, (self._offset, length) = None, self._source.skipped.pop()
            fits = length == size
        if not fits:
            raise pickle.UnpicklingError(f"an array of {self._dtype} of shape {self._shape} with other content")

    def resolved(self) -> np.ndarray:
        """Return the array that the stand-in replaces."""
        if self._data is None:
            # If the map were made earlier, the unpickler would also own it, and keep its pages until it is garbage-collected.
            return mapped(self._source.path, self._dtype, self._offset, self._shape, self._order)
        if not self._dtype.hasobject:
            return np.frombuffer(self._data, self._dtype).reshape(self._shape, order=self._order)
        array = np.empty(self._shape, object)
        for index, value in zip(np.ndindex(array.shape), self._data, strict=True):
            array[index] = _resolved(value)
        return array


def _scalar(kind: _Type, data: bytes) -> np.generic:
    if kind.dtype.hasobject or len(data) != kind.dtype.itemsize:
        raise pickle.UnpicklingError("a numpy scalar that is neither a number nor text")
    return np.frombuffer(data, kind.dtype)[0]


def _resolved(value: Any) -> Any:
    """Return ``value`` with its stand-ins replaced by arrays."""
    if isinstance(value, dict):
        return {key: _resolved(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_resolved(entry) for entry in value)
    return value.resolved() if isinstance(value, _Array) else value


class _Unpickler(pickle.Unpickler):
    """An unpickler that allows only the four names that arrays need. A pickle of plain values contains no names."""

    def __init__(self, source: _Source, remedy: str):
        super().__init__(source)
        self._source, self._remedy = source, remedy

    def find_class(self, module: str, name: str) -> Any:
        match module.replace("numpy._core.", "numpy.core."), name:  # numpy 2 and numpy 1 have different names
            case "numpy", "ndarray":
                return None  # the type is only passed to _reconstruct
            case "numpy", "dtype":
                return _Type
            case "numpy.core.multiarray", "_reconstruct":
                return lambda *_: _Array(self._source)
            case "numpy.core.multiarray", "scalar":
                return _scalar
        expected = "text, numbers, lists, dictionaries and plain arrays only"
        remedy = f"do not load this file with other tools either: it may run code on this machine. {self._remedy}"
        raise InputError(self._source.path, f"a pickle that asks for {module}.{name}", expected, remedy)


def load_dict(path: Path | str, remedy: str) -> dict[str, Any]:
    """Load the dictionary that ``np.save`` wrote to ``path``. Every error message ends with ``remedy``.

    Arrays of 1 MB or more are read-only memory maps. Their bytes must be in the file, but are not read here.
    """
    path = require_real_file(path, remedy)

    def refuse(found: str) -> InputError:
        return InputError(path, found, "a .npy file that holds one Python dictionary", remedy)

    with path.open("rb", buffering=0) as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read_header(file)
        except Exception as error:  # numpy reads a header as Python code, so a damaged one may raise anything
            raise refuse(f"no header of a .npy file ({error})") from error
        if not dtype.hasobject or shape != ():
            raise refuse(f"an array of {dtype} of shape {shape}")
        source = _Source(path, file)
        try:
            content = _resolved(_Unpickler(source, remedy).load())
        except InputError:
            raise
        except Exception as error:  # a damaged pickle may raise anything
            raise refuse(f"a truncated or damaged pickle ({type(error).__name__}: {error})") from error
    values = content[()] if isinstance(content, np.ndarray) and content.shape == () else content
    if not isinstance(values, dict):
        raise refuse(f"a pickled {type(values).__name__}")
    if source.skipped:
        raise refuse("a dictionary with a text of over 1 MB")
    return values
