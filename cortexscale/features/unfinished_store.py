"""An unfinished store is an uncompressed zip that grows by complete blocks. A later run can continue after the last block.

A finished store is a single file, so its size and its date are those of the whole store. A store gets its final name only when it
is complete, so a workflow cannot mistake an interrupted store for a complete one.
"""

import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import zarr

_SYNCED = 2**26
"""Number of bytes after which the file is flushed to the disk and dropped from the page cache. The next bytes then reuse the
memory of these pages. On a virtual machine, reused pages take a sixth of the kernel time of new pages. More of the page cache
also remains for other processes that read files on the same machine."""


FORMAT = "float16 with offset and scale"
"""Format of the arrays of a store. A store of another format is neither continued nor read."""


class UnfinishedStore:
    """A writer of a file that has a group of zarr arrays. A second file records how much of the first file is complete.

    The process can be killed at any byte. When the store is opened again, everything after the last complete block is cut off.
    The file of an earlier run is continued only if that run had the same ``attributes``. ``done`` is the value recorded with the
    last complete block, or None before the first block.
    """

    def __init__(self, path: Path, attributes: dict[str, Any]) -> None:
        self._path, self._attributes = path, {"format": FORMAT} | attributes
        self.done: Any = None
        self._part, self._blocks = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.blocks")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._entries, end, recorded = self._left_by_an_earlier_run()
        # Files are unbuffered. Otherwise the garbage collection of an interrupted writer would write its buffer into the file of
        # the next writer.
        self._file, self._records = (file.open("ab", buffering=0) for file in (self._part, self._blocks))
        self._file.truncate(end)
        self._records.truncate(recorded)
        self._end, self._synced, self._n_recorded = end, end, len(self._entries)
        self._names = {entry.filename for entry in self._entries}
        if not recorded:
            _append(self._records, _line(self._attributes))

    def _left_by_an_earlier_run(self) -> tuple[list[zipfile.ZipInfo], int, int]:
        """Return the zip entries of complete blocks, and the number of complete bytes of the store and of the file of records."""
        entries: list[zipfile.ZipInfo] = []
        end, recorded = 0, 0
        lines = self._blocks.read_bytes().splitlines(keepends=True) if self._blocks.exists() else []
        if not self._part.exists() or not lines or lines[0] != _line(self._attributes):
            return entries, end, recorded
        recorded = len(lines[0])
        for line in lines[1:]:
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if record is None or record["end"] > self._part.stat().st_size:
                break
            entries += [_entry(*values) for values in record["entries"]]
            end, self.done = record["end"], record["done"]
            recorded += len(line)
        return entries, end, recorded

    def __contains__(self, name: str) -> bool:
        return f"{name}/zarr.json" in self._names

    def content(self, file: str) -> bytes:
        """Return the content of a file in the zip, such as a chunk of an array."""
        entry = next(entry for entry in self._entries if entry.filename == file)
        with self._part.open("rb") as part:
            part.seek(entry.header_offset + len(entry.FileHeader()))
            return part.read(entry.file_size)

    def create(self, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, **attributes: Any) -> None:
        """Begin an array and the groups that contain it. A chunk that is never written reads as zeros."""
        files: dict[str, Any] = {}
        array: dict[str, Any] = {"shape": shape, "chunks": chunks, "dtype": dtype, "attributes": attributes}
        zarr.create_array(files, name=name, compressors=None, **array)
        for file, content in files.items():
            if file != "zarr.json" and file not in self._names:
                self._add(file, content.to_bytes())

    def write(self, name: str, place: tuple[int, ...], values: np.ndarray, chunks: tuple[int, ...]) -> None:
        """Write the chunk at ``place`` in the grid of chunks.

        A chunk has the shape ``chunks``; at an edge of the array, the chunk is padded with zeros.
        """
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

    def mark_complete(self, done: Any = None) -> None:
        """Record that everything written so far is complete. ``done`` says how much this is, in the caller's own form."""
        self._sync()
        new = [(entry.filename, entry.header_offset, entry.file_size, entry.CRC) for entry in self._entries[self._n_recorded :]]
        _append(self._records, _line({"done": done, "end": self._end, "entries": new}))
        self._n_recorded, self.done = len(self._entries), done

    def finish(self, attributes: dict[str, Any]) -> None:
        """Add the directory of the zip, and give the file its final name. ``attributes`` are added to the initial attributes."""
        files: dict[str, Any] = {}
        zarr.create_group(files, attributes=self._attributes | attributes)
        self._add("zarr.json", files["zarr.json"].to_bytes())
        self._file.close()
        with self._part.open("r+b") as file:
            file.seek(self._end)
            with zipfile.ZipFile(file, "w") as directory:
                directory.filelist.extend(self._entries)
        self._records.close()
        self._part.replace(self._path)
        self._blocks.unlink()


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode() + b"\n"


def _append(file: io.RawIOBase, content: bytes | memoryview) -> int:
    """Write all of ``content``, in several calls if necessary, and return its length."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) or 0 :]
    return len(content)


def _entry(name: str, offset: int, size: int, crc: int) -> zipfile.ZipInfo:
    """Make an entry of an uncompressed zip. All entries have the same date, so that equal content gives equal files."""
    entry = zipfile.ZipInfo(name)
    entry.header_offset, entry.file_size, entry.compress_size, entry.CRC = offset, size, size, crc
    entry.external_attr = 0o644 << 16
    return entry
