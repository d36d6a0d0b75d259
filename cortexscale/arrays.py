"""Arrays in files: HDF5 files, opened without locks, and memory maps, on any file system."""

import math
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import DTypeLike

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

_HDF5_MESSAGE = re.compile(r"(Unable to|Can't|failed) .*\(|Invalid HDF5|error in H5|No NumPy equivalent|codec can't decode")
_HEAP = re.compile(rb"GCOL\x01\0\0\0")  # beginning of a global heap, in which HDF5 stores texts of variable length
_SCANNED = 2**24  # bytes that are searched for heaps at once
_SYSTEM_MESSAGE = re.compile(r"errno = [1-9]\d*, error message = '([^']*)'")


def open_hdf5(path: Path | str, mode: Literal["r", "r+", "w"] = "r", **settings: Any) -> h5py.File:
    """Open an HDF5 file without locks, because NFS, Lustre and exFAT often have no locks.

    No file is read here while it is being written.

    The environment variable HDF5_USE_FILE_LOCKING overrides this. If it asks for locks and the file system has none, an
    InputError says so.
    """
    try:
        return h5py.File(path, mode, locking=False, **settings)
    except OSError as error:
        if "flag values don't match" in str(error):  # this process has opened the file elsewhere, with locks
            return h5py.File(path, mode, **settings)
        if "unable to lock file" not in str(error):
            raise
        variable = f"HDF5_USE_FILE_LOCKING is {os.environ.get('HDF5_USE_FILE_LOCKING', 'not set')}"
        remedy = "set the environment variable HDF5_USE_FILE_LOCKING to FALSE, and run again; the file itself is not at fault"
        found = f"a lock that the file system refuses ({variable})"
        raise InputError(path, found, "a file that is opened without a lock", remedy) from error


@contextmanager
def released_hdf5(path: Path | str, expected: str, remedy: str, smallest: int = 1) -> Iterator[h5py.File]:
    """Open a released HDF5 file of at least ``smallest`` bytes for reading.

    An error that HDF5 raises when the file is opened, or while the block reads the file, becomes an InputError. ``remedy`` says
    where the file comes from.
    """
    path = require_real_file(path, remedy, smallest)
    with hdf5_damage(path, expected, remedy), open_hdf5(path) as file:
        yield file


@contextmanager
def hdf5_damage(path: Path, expected: str, remedy: str) -> Iterator[None]:
    """Turn the errors that HDF5 raises while a block reads a file into an InputError.

    These are all OSErrors, and other errors whose message comes from the HDF5 library. If the content of the file is wrong, the
    InputError says to fetch the file again, as ``remedy`` describes. It does not say so if the system cannot read the file.
    """
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        text = str(error)
        if not isinstance(error, OSError) and not _HDF5_MESSAGE.search(text):
            raise
        again = f"the copy is incomplete or damaged; repeat the download. {remedy}"
        if "truncated file" in text:
            found = "a truncated file"
        elif message := _SYSTEM_MESSAGE.search(text):
            found, again = f"a file that this machine cannot read: {message[1]}", "mend the permissions, the disk or the mount"
        elif "signature not found" in text:
            with path.open("rb") as file:
                found = f"a file that is not HDF5; it begins with {file.read(16)!r}"
            again = f"this is another file, or a damaged one; fetch it again. {remedy}"
        elif "required filter" in text or "filter is not registered" in text:
            found, again = f"a compression that HDF5 lacks here ({text})", f"take the file as it was released. {remedy}"
        else:
            found = f"a file that HDF5 cannot read ({text})"
        raise InputError(path, found, expected, again) from error


def require_whole_heaps(path: Path | str, remedy: str) -> None:
    """Raise an InputError if there are zeros among the entries of a global heap of an HDF5 file.

    HDF5 would read such a heap without end, because every entry says where the next one begins (HDF5 File Format Specification
    3.0, section III.E). The whole file is read, which takes some seconds for 1 GB.
    """
    path = Path(path)
    with path.open("rb") as file:
        for first in range(0, path.stat().st_size, _SCANNED):
            file.seek(first)
            for found in _HEAP.finditer(file.read(_SCANNED + 7)):
                file.seek(first + found.start() + 8)
                (size,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
                heap, place = file.read(min(size, _SCANNED)), 0
                while place + 16 <= min(len(heap), size - 16):
                    index, length = struct.unpack_from("<H6xQ", heap, place)
                    step = 16 + -(-length // 8) * 8 if index else length  # entry 0 is the unused rest
                    if not step:
                        where = f"zeros among its texts, at byte {first + found.start() + 16 + place:,}"
                        raise InputError(path, where, "a whole file", f"the copy is damaged; repeat the download. {remedy}")
                    place += step


def require_stored(path: Path | str, data: h5py.Dataset, remedy: str) -> None:
    """Raise an InputError if numbers of an array are in other files, or were never written.

    HDF5 reads zeros in their place without an error. An array with another fill value than 0 passes, because its gaps can be
    told from numbers.
    """
    sources = data.virtual_sources() if data.is_virtual else data.external or ()
    if others := sorted({name for source in sources if (name := getattr(source, "file_name", source[0])) != "."}):
        found = f"the array {data.name}, whose numbers are in other files: {', '.join(others[:5])}"
        raise InputError(path, found, "an array that is stored in this file", f"copy the numbers into one file, or {remedy}")
    if data.is_virtual or not data.size or data.fillvalue != 0:
        return
    if data.chunks is None:
        blocks, written = 1, int(data.id.get_storage_size() > 0)
    else:
        blocks = math.prod(-(-length // size) for length, size in zip(data.shape, data.chunks, strict=True))
        written = data.id.get_num_chunks()
    if written < blocks:
        found = f"the array {data.name}, of which {blocks - written:,} of {blocks:,} blocks were never written"
        again = f"the program that wrote the file was interrupted; write or fetch the file again, or {remedy}"
        raise InputError(path, found, "an array that was written to its end", again)


def member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """Return the member ``name`` of a group, or None if there is none.

    A damaged member raises an error, which ``group.get`` would hide.
    """
    if name not in group:
        return None
    return group[name]


def mapped(path: Path | str, dtype: DTypeLike, offset: int, shape: tuple[int, ...], order: Literal["C", "F"] = "C") -> np.ndarray:
    """Map an array in a file into memory, read-only. Where the file system has no memory maps, the array is read."""
    try:
        return np.memmap(path, dtype, "r", offset, shape=shape, order=order)
    except OSError:
        flat = np.fromfile(path, dtype, count=int(np.prod(shape)), offset=offset)
        return flat.reshape(shape, order=order)
