"""MATLAB v7.3 files, which are HDF5 files behind a 512-byte header.

h5py reverses the axes of every MATLAB array: an m x n array has shape (n, m) here.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from cortexscale.errors import InputError
from cortexscale.files import hdf5_damage, require_real_file

_HEADER_BYTES = 512


@contextmanager
def open_matlab(path: Path | str, variables: Iterable[str], remedy: str) -> Iterator[h5py.File]:
    """Open a MATLAB v7.3 file that has some top-level ``variables``, for reading; ``remedy`` ends every message."""
    path = require_real_file(path, remedy, smallest=2 * _HEADER_BYTES)
    _require_version_7_3(path, remedy)
    with hdf5_damage(path, "a whole MATLAB v7.3 file", remedy), h5py.File(path, "r") as file:
        missing = [name for name in variables if name not in file]
        if missing:
            present = ", ".join(name for name in file if not name.startswith("#")) or "nothing"
            raise InputError(path, f"the variables {present}", f"also {', '.join(missing)}", remedy)
        yield file


def read_strings(file: h5py.File, struct: str, field: str) -> np.ndarray:
    """Read one text field of a list of N records: a 1 x N struct array, or a scalar struct of cell arrays.

    Both hold N references to char arrays of UTF-16 code units.
    """

    def wrong(found: str) -> InputError:
        remedy = "check that this is the released file, and whole"
        return InputError(f"{file.filename}: {struct}.{field}", found, "a list of texts", remedy)

    group = file[struct]
    if not isinstance(group, h5py.Group):
        raise wrong(f"{struct} is not a struct but an array of shape {group.shape}")
    if field not in group:
        raise wrong(f"only the fields {', '.join(group)}")
    references = group[field]
    if h5py.check_ref_dtype(references.dtype) is not h5py.Reference:
        raise wrong(f"an array of {references.dtype}, shape {references.shape}")
    texts = []
    for position, reference in enumerate(references[()].ravel()):
        # Not every char array is text: an empty one holds its dimensions as uint64, and a damaged one holds anything.
        characters = file[reference][()] if reference else np.empty(0)
        text = characters.tobytes().decode("utf-16-le", "replace") if characters.dtype == np.uint16 else "\0"
        if "\0" in text or "\ufffd" in text:
            raise wrong(f"no text in entry {position + 1}")
        texts.append(text)
    return np.array(texts)


def _require_version_7_3(path: Path, remedy: str) -> None:
    with path.open("rb") as handle:
        header = handle.read(_HEADER_BYTES)
    if not header.startswith(b"MATLAB "):
        raise InputError(path, "a file without MATLAB's header", "a MATLAB v7.3 file", remedy)
    if not header.startswith(b"MATLAB 7.3 MAT-file"):
        version = header.split(b",")[0][:30].decode("ascii", "replace")
        raise InputError(path, f"a {version}", "a MATLAB 7.3 MAT-file", "this is another file, or a re-saved one. " + remedy)
