"""Verified downloads that resume after a broken connection. Processes that ask for the same file share one download."""

import hashlib
import http.client
import logging
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

from filelock import FileLock

from cortexscale.errors import InputError

WAITS = (1, 5, 20)
"""Seconds to wait before the second, third and fourth attempts."""
_PATIENCE = 60
"""Seconds of silence after which a connection counts as broken."""
_TRANSIENT = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException, ssl.SSLError)
_PERMANENT = (FileNotFoundError, PermissionError, ssl.SSLCertVerificationError)
_BUSY = {408, 425, 429, 500, 502, 503, 504}
"""HTTP status codes after which another attempt may succeed."""


def fetch(url: str, path: Path | str, *, size: int | None = None, sha256: str | None = None) -> None:
    """Download ``url`` to ``path``. If the file exists, only verify it.

    The content is written to ``.<name>.part`` beside ``path``. This partial file remains after an interruption, and the next call
    in any process continues it if the server's file has not changed. A complete file is renamed to ``path``. If several processes
    need the same file, one of them downloads it and the others wait.

    Args:
        size: number of bytes that the file must have; by default the number that the server announces.
        sha256: SHA-256 checksum that the file must have, or its first digits.

    Raises:
        InputError: the connection failed ``len(WAITS)`` + 1 times, the file does not exist or is a web page, or its size or
            checksum differs.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with FileLock(lock):
        try:
            if path.exists():
                _verify(path, path, size, sha256, "delete it and fetch it again")
            else:
                _download(url, path, size, sha256)
        finally:
            lock.unlink(missing_ok=True)  # FileLock notices that its file was deleted, and makes a new one


def _download(url: str, path: Path, size: int | None, sha256: str | None) -> None:
    part = path.with_name(f".{path.name}.part")
    _receive(url, part, size, f"check the connection and try again, or save {url} by other means as {path}")
    try:
        _verify(part, url, size, sha256, f"try again, or save the right file as {path}")
    except InputError:
        part.unlink()
        raise
    finally:
        _version_file(part).unlink(missing_ok=True)
    part.replace(path)
    logging.info("%s: %s bytes from %s%s", path, f"{path.stat().st_size:,}", url, ", sha256 as expected" if sha256 else "")


def _verify(file: Path, where: object, size: int | None, sha256: str | None, remedy: str) -> None:
    """Raise an InputError that names ``where`` if a file does not have the expected size and checksum."""
    length = file.stat().st_size
    if size is not None and size != length:
        raise InputError(where, f"{length:,} bytes", f"{size:,} bytes", remedy)
    if sha256:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if not found.startswith(sha256):
            raise InputError(
                where, f"{length:,} bytes with sha256 {found}", f"sha256 {sha256}{'...' if len(sha256) < 64 else ''}", remedy
            )


def _receive(url: str, part: Path, size: int | None, remedy: str) -> None:
    """Download to ``part``, and try again after each broken connection."""
    for wait in (*WAITS, None):
        try:
            _continue(url, part, size, remedy)
            return
        except _TRANSIENT as error:
            reason = getattr(error, "reason", error)
            refused = isinstance(error, urllib.error.HTTPError) and error.code not in _BUSY
            if wait is None or refused or isinstance(reason, _PERMANENT):
                found = f"HTTP {error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else reason
                raise InputError(url, f"no download ({found})", "a file to download", remedy) from error
            logging.warning("%s: %s; next attempt in %s s", url, reason, wait)
            time.sleep(wait)


def _continue(url: str, part: Path, size: int | None, remedy: str) -> None:
    """Make one attempt. If ``part`` is the beginning of the server's file, continue it; otherwise start again."""
    version = _version_file(part)
    known = version.read_text(encoding="utf-8") if part.exists() and version.exists() else ""
    offset = part.stat().st_size if known else 0
    request = urllib.request.Request(url)
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        request.add_header("If-Range", known)
    try:
        answer = urllib.request.urlopen(request, timeout=_PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        version.unlink()  # the partial file is complete, or differs from the server's file
        answer = urllib.request.urlopen(url, timeout=_PATIENCE)
    with answer:
        tag = answer.headers["ETag"] or ""
        begin, total = _extent(answer)
        if begin not in (0, offset) or (begin and tag != known):  # a server without If-Range may send the end of another file
            version.unlink()
            raise ConnectionError("the file has changed on the server")
        if answer.headers.get_content_type() == "text/html":
            raise InputError(url, "an HTML page", "a data file", f"a login page or a proxy may be in the way: {remedy}")
        if size is not None and total is not None and total != size:
            raise InputError(url, f"{total:,} bytes", f"{size:,} bytes", remedy)
        if begin == 0:
            version.unlink(missing_ok=True)
        with part.open("ab" if begin else "wb") as file:
            if tag.startswith('"'):  # a weak tag (W/) does not promise the same bytes
                version.write_text(tag, encoding="utf-8")
            shutil.copyfileobj(answer, file, 2**20)
    if total is not None and (found := part.stat().st_size) != total:  # http.client raises no error here
        raise ConnectionError(f"the connection ended after {found:,} of {total:,} bytes")


def _extent(answer: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return the offset of an answer's first byte, and the size of the whole file (None if the server does not give it)."""
    if ranged := re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers["Content-Range"] or ""):
        return int(ranged[1]), int(ranged[2])
    length = answer.headers["Content-Length"]
    return 0, int(length) if length else None


def _version_file(part: Path) -> Path:
    """Return the path of the file that stores the server's ETag for ``part``."""
    return part.with_name(f"{part.name}.etag")
