"""Reading of MATLAB files. Files of v7.3 are HDF5 after a 512-byte header; scipy reads files of v5 to v7.

h5py reverses the axes of MATLAB arrays. An m x n array has the shape (n, m) in h5py.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

import h5py
import numpy as np

from cortexscale.arrays import member, released_hdf5
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import plain

_HEADER_BYTES = 512
_OTHER_FILE = "check that this is the released file, and whole"


@contextmanager
def open_matlab(path: Path | str, variables: Iterable[str], remedy: str) -> Iterator[h5py.File]:
    """Open a MATLAB v7.3 file that must have some top-level ``variables``. Every error message ends with ``remedy``."""
    version = _version(path, remedy)
    if version != "7.3":
        remedy = f"this is another file, or a re-saved one. {remedy}"
        raise InputError(path, f"a MATLAB {version} MAT-file", "a MATLAB 7.3 MAT-file", remedy)
    with released_hdf5(path, "a whole MATLAB v7.3 file", remedy, smallest=2 * _HEADER_BYTES) as file:
        missing = [name for name in variables if name not in file]
        if missing:
            present = ", ".join(name for name in file if not name.startswith("#")) or "nothing"
            raise InputError(path, f"the variables {present}", f"also {', '.join(missing)}", remedy)
        yield file


def read_strings(file: h5py.File, struct: str, field: str) -> np.ndarray:
    """Read one text field of a list of N records.

    A list is a 1 x N struct array or a scalar struct of cell arrays, with N references to char arrays. A field of a scalar struct
    can also be one char array, with a text in each row. Texts are in NFC, without spaces around them.
    """
    place = f"{file.filename}: {struct}.{field}"

    def wrong(found: str) -> InputError:
        return InputError(place, found, "a list of texts", _OTHER_FILE)

    group = member(file, struct)
    if not isinstance(group, h5py.Group) or _class(group) not in ("struct", ""):
        raise wrong(f"{struct} is not a struct but {_kind(group)}")
    if field not in group:
        raise wrong(f"only the fields {', '.join(group)}")
    content = group[field]
    if (rows := _char_rows(content)) is not None:
        return np.array([plain(row) for row in rows], dtype=np.str_)
    if not isinstance(content, h5py.Dataset) or h5py.check_ref_dtype(content.dtype) is not h5py.Reference:
        raise wrong(_kind(content))
    texts = []
    for position, reference in enumerate(content[()].ravel()):
        rows = _char_rows(file[reference]) if reference else None
        if rows is None or len(rows) != 1:
            raise wrong(f"no text in entry {position + 1}")
        texts.append(plain(rows[0]))
    return np.array(texts, dtype=np.str_)


def numbers(file: h5py.File, name: str, shape: tuple[int, ...], remedy: str) -> h5py.Dataset:
    """Return the array ``name`` of real numbers without reading its values.

    In h5py it must have the shape ``shape``. Every error message ends with ``remedy``.
    """
    data, expected = member(file, name), f"real numbers of shape {shape}"
    if not _is_matrix(data):
        raise InputError(file.filename, f"{name} is {_kind(data)}", expected, remedy)
    if data.shape != shape:
        raise InputError(file.filename, f"{name} of shape {data.shape}", expected, remedy)
    return data


def read_integers(path: Path | str, names: Iterable[str], remedy: str) -> dict[str, np.ndarray]:
    """Read matrices of whole numbers, (m, n) int64 as in MATLAB, from a file of any version.

    Every error message ends with ``remedy``.
    """
    names = list(names)
    if _version(path, remedy) == "7.3":
        with open_matlab(path, names, remedy) as file:
            found = {name: file[name] for name in names}
            values = {name: data[()].T if _is_matrix(data) else _kind(data) for name, data in found.items()}
    else:
        values = _read_version_5(Path(path), names, remedy)
    return {name: _whole_numbers(path, name, value, remedy) for name, value in values.items()}


def read_numbers(path: Path | str, name: str | None, remedy: str) -> np.ndarray:
    """Read an array of real numbers, with its axes as in MATLAB, from a file of any version.

    ``name`` can be None if the file has one variable. Every error message ends with ``remedy``.
    """
    if _version(path, remedy) == "7.3":
        with open_matlab(path, [name] if name else [], remedy) as file:
            variable = name or _only(path, [key for key in file if not key.startswith("#")], remedy)
            data = file[variable]
            if _is_matrix(data):
                return data[()].T
            found = _kind(data)
    else:
        content = _read_version_5(Path(path), [name] if name else None, remedy)
        variable = name or _only(path, list(content), remedy)
        value = content[variable]
        if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
            return value
        found = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    raise InputError(path, f"{variable} is {found}", "an array of real numbers", remedy)


def _only(path: Path | str, names: list[str], remedy: str) -> str:
    if len(names) != 1:
        found = f"the variables {', '.join(names)}" if names else "no variable"
        raise InputError(path, found, "one variable, or its name in the option `variable`", remedy)
    return names[0]


def _whole_numbers(path: Path | str, name: str, value: Any, remedy: str) -> np.ndarray:
    expected = "a matrix of whole numbers"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iufb" or value.ndim != 2:
        found = f"an array of {value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else str(value)
        raise InputError(path, f"{name} is {found}", expected, remedy)
    with np.errstate(invalid="ignore"):
        whole = value.astype(np.int64)
    if not np.array_equal(whole, value):
        raise InputError(path, f"{name} has values that are not whole numbers", expected, remedy)
    return whole


def _read_version_5(path: Path, names: list[str] | None, remedy: str) -> dict[str, Any]:
    """Read variables of a file of v5 to v7. If ``names`` is None, read all of them."""
    import scipy.io
    import scipy.sparse

    try:
        content = scipy.io.loadmat(path, variable_names=names)
    except Exception as error:  # scipy raises many unrelated types for a damaged file
        found = f"a file that scipy cannot read ({type(error).__name__}: {error})"
        remedy = f"the copy is incomplete or damaged; repeat the download. {remedy}"
        raise InputError(path, found, "a whole MATLAB file", remedy) from error
    if names is None:
        names = [name for name in content if not name.startswith("__")]
    if absent := [name for name in names if name not in content]:
        there = ", ".join(name for name, *_ in scipy.io.whosmat(path)) or "nothing"
        raise InputError(path, f"no variable {', '.join(absent)}; there is {there}", f"the variables {', '.join(names)}", remedy)
    return {name: content[name].toarray() if scipy.sparse.issparse(content[name]) else content[name] for name in names}


def _version(path: Path | str, remedy: str) -> str:
    """Return the version in the header of a MATLAB file, such as ``7.3`` or ``5.0``."""
    with require_real_file(path, remedy).open("rb") as handle:
        header = handle.read(_HEADER_BYTES)
    words = header.split(b",")[0].split()
    if len(words) < 3 or words[0] != b"MATLAB" or words[2] != b"MAT-file":
        remedy = f"this is another file, or a damaged one. {remedy}"
        raise InputError(path, f"a file without MATLAB's header; it begins with {header[:16]!r}", "a MATLAB file", remedy)
    return words[1].decode("ascii", "replace")


def _class(item: Any) -> str:
    name = item.attrs.get("MATLAB_class", b"")
    return name.decode("ascii", "replace") if isinstance(name, bytes) else str(name)


def _is_matrix(data: Any) -> TypeGuard[h5py.Dataset]:
    """Tell whether an item has real numbers. An empty array has no real numbers: the file stores its dimensions instead."""
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iuf" or _class(data) == "char":
        return False
    if data.dtype == np.float16:  # not a type of MATLAB
        return False
    return "MATLAB_empty" not in data.attrs and "MATLAB_object_decode" not in data.attrs


def _kind(item: Any) -> str:
    """Describe an item of a MATLAB v7.3 file."""
    if isinstance(item, h5py.Group):
        return "a sparse matrix" if "MATLAB_sparse" in item.attrs else f"a struct with the fields {', '.join(item) or 'none'}"
    if not isinstance(item, h5py.Dataset):
        return "not a MATLAB array"
    if "MATLAB_empty" in item.attrs:
        return "an empty array"
    if _class(item) == "char":
        return f"text of shape {item.shape}"
    if "MATLAB_object_decode" in item.attrs:
        return f"an object of class {_class(item)}"
    if h5py.check_ref_dtype(item.dtype):
        return f"a cell array of shape {item.shape}"
    if item.dtype.names:
        return f"an array of complex numbers of shape {item.shape}"
    return f"an array of {item.dtype}, shape {item.shape}"


def _char_rows(item: Any) -> list[str] | None:
    """Return the rows of a char array. For any other item, and for characters that are not text, return None."""
    if not isinstance(item, h5py.Dataset) or item.ndim != 2 or item.dtype.kind != "u" or "MATLAB_empty" in item.attrs:
        return None
    if _class(item) not in ("char", "") or item.dtype.itemsize > 4:
        return None
    codes, encoding = item[()].T, "utf-32-le" if item.dtype.itemsize == 4 else "utf-16-le"
    stored = np.ascontiguousarray(codes, "<u4" if item.dtype.itemsize == 4 else "<u2")
    rows = [row.tobytes().decode(encoding, "replace") for row in stored]
    return None if any("\0" in row or "\ufffd" in row for row in rows) else rows
