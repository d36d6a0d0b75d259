"""Writing of files that appear complete or not at all, checks whether a file really holds data, and compressed files."""

import gzip
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

from cortexscale.errors import InputError
from cortexscale.listing import DOWNLOAD, IN_ICLOUD, is_in_cloud

_ANNEX_POINTER = re.compile(rb"(/annex/objects/|(\.\./)*\.git/annex/)")
_WEB_PAGE = re.compile(rb"(<!doctype|<html|<head|<body|<script|<!--|<\?xml)")


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and rename it to ``path`` when the block succeeds.

    After an exception, the temporary file is deleted. If the process is killed, the ``.part`` file remains, but no code reads it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file in UTF-8. The file appears complete or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Give a file a second name by a hard link. If that is not possible, copy the file."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def require_real_file(path: Path | str, remedy: str, smallest: int = 1) -> Path:
    """Return ``path`` if it is a data file.

    An InputError is raised if the file is missing, cannot be opened or is shorter than ``smallest`` bytes. It is also raised if
    the file is a pointer of git-annex or Git LFS whose content was not fetched, a web page, or an error message of a storage
    server.
    """
    path = Path(path)

    def error(found: str, expected: str, cause: str = "") -> InputError:
        return InputError(path, found, expected, f"{cause}{remedy}")

    try:
        if path.is_symlink() and not path.exists():
            raise error("a link to a file that is not there (git-annex content not fetched?)", "a data file")
        if path.is_dir():
            raise error("a folder", "a data file")
        if not path.is_file() and is_in_cloud(path):
            raise InputError(path, IN_ICLOUD, "a data file", DOWNLOAD)
        if not path.is_file():
            raise error("nothing", "a data file")
        with path.open("rb") as content:
            head = content.read(HEAD)
    except OSError as failure:
        found = f"a file that this machine cannot read: {failure.strerror}"
        remedy = DOWNLOAD if is_in_cloud(path, failure) else "mend the permissions, the disk or the mount, and run again"
        raise InputError(path, found, "a data file", remedy) from failure
    size = path.stat().st_size
    if not size:
        raise error("an empty file (0 bytes)", "a data file", "the download or copy did not begin; repeat it. ")
    if stand_in := stand_in_of(head):
        raise error(*stand_in)
    if size < smallest:
        raise error(f"{size:,} bytes", f"at least {smallest:,} bytes", "the download was cut short; repeat it. ")
    return path


HEAD = 1024
"""Number of bytes at the beginning of a file that :func:`stand_in_of` looks at."""


def stand_in_of(head: bytes) -> tuple[str, str, str] | None:
    """Return what was found in place of a data file, what is expected and what to do.

    If ``head`` can be the beginning of a data file, return None.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if _ANNEX_POINTER.match(head):
        return "a git-annex pointer", "the data file itself", "fetch the content (gin get-content, or git annex get). "
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer", "the data file itself", "fetch the content (git lfs pull). "
    if start.startswith(b"<?xml") and (code := re.search(rb"<Code>(\w+)</Code>", head)):
        found = f"an error page of the storage server ({code[1].decode()})"
        return found, "a data file", "the address was wrong or not public. "
    if _WEB_PAGE.match(start):
        return "an HTML page", "a data file", "the download saved a web page; use the direct link. "
    return None


def open_unpacked(path: Path | str) -> BufferedIOBase:
    """Open a file, or the content of a file that gzip has compressed, whatever its name."""
    with Path(path).open("rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if is_compressed else Path(path).open("rb")
