"""An unfinished store: an uncompressed zip that grows by whole blocks, and that a later run continues after the last one.

So a cluster sees one file with a real size and time, and an interrupted write is never taken for complete.
"""

import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import zarr

_SYNCED = 2**26
"""Bytes after which the file is brought to the disk and leaves the page cache. The same memory then takes the next bytes, for a
sixth of the kernel time that new pages cost on a virtual machine, and the cache of a node is left to those who read."""


class Part:
    """Makes the file ``path``, a group of zarr arrays. Beside it, a file of blocks notes how far the part is whole.

    What follows the last whole block is cut off when the part is opened again: a process may be killed at any byte.

    Args:
        path: of the finished file.
        attributes: what this store is of. The part that an earlier run left is continued if it had the same ones.

    Attributes:
        done: what was noted with the last whole block; None before the first.
    """

    def __init__(self, path: Path, attributes: dict[str, Any]):
        self._path, self._attributes, self.done = path, attributes, None
        self._part, self._blocks = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.blocks")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._entries, end, noted = self._left()
        # Unbuffered: what an interrupted writer held back would be written when it is collected, into the file of the next.
        self._file, self._notes = (file.open("ab", buffering=0) for file in (self._part, self._blocks))
        self._file.truncate(end)
        self._notes.truncate(noted)
        self._end, self._synced, self._n_noted = end, end, len(self._entries)
        self._names = {entry.filename for entry in self._entries}
        if not noted:
            _append(self._notes, _line(self._attributes))

    def _left(self) -> tuple[list[zipfile.ZipInfo], int, int]:
        """What an earlier run left: the entries of all whole blocks, where they end in the part, and where their notes end."""
        entries, end, noted = [], 0, 0
        lines = self._blocks.read_bytes().splitlines(keepends=True) if self._blocks.exists() else []
        if not self._part.exists() or not lines or lines[0] != _line(self._attributes):
            return entries, end, noted
        noted = len(lines[0])
        for line in lines[1:]:
            try:
                note = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                note = None
            if note is None or note["end"] > self._part.stat().st_size:
                break
            entries += [_entry(*values) for values in note["entries"]]
            end, self.done = note["end"], note["done"]
            noted += len(line)
        return entries, end, noted

    def __contains__(self, name: str) -> bool:
        """Whether there is an array or group of this name."""
        return f"{name}/zarr.json" in self._names

    def create(self, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, **attributes: Any) -> None:
        """Begin an array, and the groups that it is in. A chunk that is never written reads as zeros."""
        files: dict[str, Any] = {}
        how = {"shape": shape, "chunks": chunks, "dtype": dtype, "compressors": None, "attributes": attributes}
        zarr.create_array(files, name=name, **how)
        for file, content in files.items():
            if file != "zarr.json" and file not in self._names:
                self._add(file, content.to_bytes())

    def write(self, name: str, place: tuple[int, ...], values: np.ndarray, chunks: tuple[int, ...]) -> None:
        """Write the chunk at ``place`` in the grid of chunks of this size. At an edge, what is missing is filled with zeros."""
        if values.shape != chunks:
            values = np.pad(values, [(0, whole - given) for whole, given in zip(chunks, values.shape, strict=True)])
        self._add("/".join((name, "c", *map(str, place))), np.ascontiguousarray(values).data.cast("B"))

    def _add(self, name: str, content: bytes | memoryview) -> None:
        entry = _entry(name, self._end, len(content), zlib.crc32(content))
        for piece in (entry.FileHeader(), content):
            self._end += _append(self._file, piece)
        self._entries.append(entry)
        self._names.add(name)
        if self._end - self._synced >= _SYNCED:
            self._sync()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        if hasattr(os, "posix_fadvise"):  # not on macOS
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._synced = self._end

    def note(self, done: Any = None) -> None:
        """All that was written so far is whole. ``done`` says in terms of the caller how much that is."""
        self._sync()
        new = [(entry.filename, entry.header_offset, entry.file_size, entry.CRC) for entry in self._entries[self._n_noted :]]
        _append(self._notes, _line({"done": done, "end": self._end, "entries": new}))
        self._n_noted, self.done = len(self._entries), done

    def finish(self, attributes: dict[str, Any]) -> None:
        """Add the directory of the zip, and give the file its name. ``attributes`` come beside those of the beginning."""
        files: dict[str, Any] = {}
        zarr.create_group(files, attributes=self._attributes | attributes)
        self._add("zarr.json", files["zarr.json"].to_bytes())
        self._file.close()
        with self._part.open("r+b") as file:
            file.seek(self._end)
            with zipfile.ZipFile(file, "w") as directory:
                directory.filelist.extend(self._entries)
        self._notes.close()
        self._part.replace(self._path)
        self._blocks.unlink()


def _line(note: dict[str, Any]) -> bytes:
    return json.dumps(note).encode() + b"\n"


def _append(file: Any, content: bytes | memoryview) -> int:
    """Write all of it, which one call need not do; its length."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    return len(content)


def _entry(name: str, offset: int, size: int, crc: int) -> zipfile.ZipInfo:
    """An entry of an uncompressed zip, of the same date whenever it is made."""
    entry = zipfile.ZipInfo(name)
    entry.header_offset, entry.file_size, entry.compress_size, entry.CRC = offset, size, size, crc
    entry.external_attr = 0o644 << 16
    return entry
