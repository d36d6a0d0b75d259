"""Digests of external files and folders of a study. They tell whether results were made from the present content.

A digest depends only on the content, and not on the date of a file or its disk.
"""

import atexit
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cortexscale.files import write_text
from cortexscale.listing import files_below, files_in, folders_in, nfc

WHOLE = 2**26
"""Largest size, in bytes, of a file that is read completely."""
_BLOCKS, _BLOCK = 64, 2**16


def digest_of(path: Path | str) -> str:
    """Return the digest of the content of a file.

    For a file of more than 64 MiB, the digest is made of its size and of 64 blocks of 64 KiB, which are equally spaced from the
    first byte to the last. A change of bytes between these blocks is not noticed.
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
    """Digests of paths. Digests of unchanged files are remembered in a file, so that each file is read only once.

    Args:
        memory: JSON file of the remembered digests. It need not exist.
    """

    def __init__(self, memory: Path):
        self.memory, self._changed = memory.absolute(), False
        self._known: dict[str, list[int | str]] = {}
        with suppress(OSError, ValueError):  # a missing or damaged memory only costs time
            self._known = json.loads(memory.read_text(encoding="utf-8"))

    def of(self, path: Path | str) -> str:
        """Return the digest of a file, or of the names and contents of all files in a folder.

        A path that does not exist gives ``missing``.
        """
        path = Path(path)
        if path.is_dir():
            return _digest(f"{nfc(file.relative_to(path))}\n{self.of(file)}" for file in files_below(path))
        return self._remembered(path, digest_of) if path.exists() else "missing"

    def names_in(self, path: str) -> str:
        """Return the digest of the names of all files in a folder of labelled images, or of the content of a file."""
        root = Path(path)
        if not root.is_dir():
            return self.of(root)
        return _digest(f"{nfc(folder.relative_to(root))}\n{self._remembered(folder, _names)}" for folder in _folders(root))

    def _save(self) -> None:
        """Write the memory, if there is a results folder."""
        if self.memory.parents[1].is_dir():
            with suppress(OSError):  # the folder may be read-only
                write_text(self.memory, json.dumps(self._known))

    def _remembered(self, path: Path, digest: Callable[[Path], str]) -> str:
        """Return a remembered digest if the size and times of a path have not changed.

        Every change of a file changes its times.
        """
        stat = path.stat()
        now = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        *then, known = self._known.get(key := str(path.absolute()), [""])
        if then != now:
            if not self._changed:
                self._changed = True
                atexit.register(self._save)
            known = digest(path)
            self._known[key] = [*now, known]
        return str(known)


def _folders(root: Path) -> Iterator[Path]:
    yield root
    for folder in folders_in(root):
        yield from _folders(folder)


def _names(folder: Path) -> str:
    return _digest(nfc(file.name) for file in files_in(folder))


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for line in lines:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()
