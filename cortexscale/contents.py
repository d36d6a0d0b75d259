"""Digests of the files and folders that a study gets from outside. They tell whether a file has changed since it was used.

A digest depends on the content alone. The date of a file, and the disk that it lies on, do not count.
"""

import atexit
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from cortexscale.files import write_text
from cortexscale.listing import files_below, files_in, folders_below, nfc

WHOLE = 2**26
"""A file of at most this many bytes is read as a whole."""
_BLOCKS, _BLOCK = 64, 2**16


def digest_of(path: Path | str) -> str:
    """Return the digest of the content of a file.

    A file of more than 64 MiB is not read as a whole: the digest covers its size and 64 evenly spaced blocks of 64 KiB.
    A change of some bytes between these blocks is not noticed.
    """
    digest = hashlib.blake2b(digest_size=16)
    with Path(path).open("rb") as content:
        size = os.fstat(content.fileno()).st_size
        if size <= WHOLE:
            return hashlib.file_digest(content, lambda: digest).hexdigest()
        for number in range(_BLOCKS):
            content.seek((size - _BLOCK) * number // (_BLOCKS - 1))
            digest.update(content.read(_BLOCK))
    digest.update(str(size).encode())
    return digest.hexdigest()


class Contents:
    """Digests of files and folders. They are stored in a JSON file, so that a file is read again only if it has changed.

    Args:
        memory: JSON file of the remembered digests. It need not exist.
    """

    def __init__(self, memory: Path):
        self.memory, self._changed = memory.absolute(), False
        self._known: dict[str, list[int | str]] = {}
        with suppress(OSError, ValueError):  # without a readable memory, digests are computed again
            self._known = json.loads(memory.read_text(encoding="utf-8"))

    def of(self, path: Path | str) -> str:
        """Return the digest of a file, or of the names and contents of all files in a folder.

        If the path does not exist, return ``missing``.
        """
        path = Path(path)
        if path.is_dir():
            return _digest(f"{nfc(file.relative_to(path))}\n{self.of(file)}" for file in files_below(path))
        return self._remembered(path, digest_of) if path.exists() else "missing"

    def sha256(self, path: Path | str) -> str:
        """Return the SHA-256 checksum of the whole content of a file."""
        return self._remembered(Path(path), _sha256, "sha256 ")

    def names_in(self, path: str) -> str:
        """Return the digest of the names of all files in a folder of labelled images, or of the content of a file."""
        root = Path(path)
        if not root.is_dir():
            return self.of(root)
        folders = (root, *folders_below(root))
        return _digest(f"{nfc(folder.relative_to(root))}\n{self._remembered(folder, _names)}" for folder in folders)

    def _save(self) -> None:
        """Write the remembered digests to the JSON file, if the results folder exists."""
        if self.memory.parents[1].is_dir():
            with suppress(OSError):  # the folder may be read-only
                write_text(self.memory, json.dumps(self._known))

    def _remembered(self, path: Path, digest: Callable[[Path], str], kind: str = "") -> str:
        """Return the stored digest if the size and times of the path have not changed; otherwise compute and store it.

        ``kind`` distinguishes digests of one path.
        """
        stat = path.stat()
        now = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        *then, known = self._known.get(key := f"{kind}{path.absolute()}", [""])
        if then != now:
            if not self._changed:
                self._changed = True
                atexit.register(self._save)
            known = digest(path)
            self._known[key] = [*now, known]
        return str(known)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _names(folder: Path) -> str:
    return _digest(nfc(file.name) for file in files_in(folder))


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
