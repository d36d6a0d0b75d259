"""Lists folders as their users see them.

Files that operating systems leave behind are left out. An unreadable folder raises an InputError.
"""

import errno
import os
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath

from cortexscale.errors import InputError

_LEFT_BEHIND = {
    "__macosx", "icon\r", "network trash folder", "temporary items",  # macOS
    "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information",  # Windows
    "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "lost+found",  # network disks
    "__pycache__",
}  # fmt: skip


_NOT_DOWNLOADED = ".icloud"
"""iCloud keeps ``.photo.png.icloud`` in place of a ``photo.png`` whose content is not on the disk."""


IN_ICLOUD = "a placeholder of iCloud, whose content is not on this disk"
DOWNLOAD = "download it: choose `Download Now` for its folder in the Finder, or run `brctl download FILE`"
"""The remedy for a file whose content is in iCloud or a similar service."""
_DATALESS = 0x40000000  # macOS's flag SF_DATALESS


def is_in_cloud(path: Path | str, error: OSError | None = None) -> bool:
    """Tell whether the content of a file is in iCloud or a similar service and not on this disk.

    ``error`` is the error of an attempt to read the file. Newer versions of macOS keep the name of such a file, and download its
    content when it is read, unless the machine is offline.
    """
    path = Path(path)
    if path.name and os.path.lexists(path.with_name(f".{path.name}{_NOT_DOWNLOADED}")):
        return True
    if error is None:
        return False
    try:
        return error.errno == errno.EDEADLK or bool(getattr(path.stat(), "st_flags", 0) & _DATALESS)
    except OSError:
        return False


def is_left_behind(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or was left behind by a system or a program.

    Names that begin with a dot are hidden, such as ``.DS_Store``, ``.ipynb_checkpoints`` and names of unfinished files. Names
    such as ``photo~``, ``~$photo`` and ``#photo#`` belong to backups and locks of editors.
    """
    backup = name.endswith("~") or name.startswith("~$") or name[0] == name[-1] == "#"
    return backup or name.startswith(".") or name.lower() in _LEFT_BEHIND


def lies_in_left_behind(path: str) -> bool:
    """Whether :func:`is_left_behind` is true for any part of a path within an archive."""
    return any(is_left_behind(part) for part in PurePath(path).parts if part not in (".", "..", "/"))


@dataclass(frozen=True)
class Listing:
    """The names of the files and folders in a folder, each list sorted by the NFC form of the names.

    A link counts as the file or folder that it leads to. ``broken`` has those of ``files`` that cannot be opened, such as links
    to missing files, links in a circle, and sockets. ``passed_over`` has the names for which :func:`is_left_behind` is true, and
    links to the folder itself or to a folder above it.
    """

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def listing(folder: Path | str) -> Listing:
    """List a folder. Raise an InputError if it is missing, is not a folder, or cannot be listed or entered."""
    found = Listing()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(_NOT_DOWNLOADED):
                    found.files.append(entry.name[1 : -len(_NOT_DOWNLOADED)])
                    found.broken.append(found.files[-1])
                elif is_left_behind(entry.name) or _leads_up(entry):
                    found.passed_over.append(entry.name)
                elif _is(entry.is_dir):
                    found.folders.append(entry.name)
                else:
                    found.files.append(entry.name)
                    if not _is(entry.is_file):
                        found.broken.append(entry.name)
    except FileNotFoundError:
        raise InputError(folder, "nothing", "a folder", "correct the path, or put the files there") from None
    except NotADirectoryError:
        raise InputError(folder, "a file", "a folder", "correct the path; an archive must be unpacked") from None
    except OSError as error:
        raise _unreadable(folder, error) from None
    for names in (found.folders, found.files, found.broken, found.passed_over):
        names.sort(key=nfc)
    return found


def files_in(folder: Path | str, pattern: str = "*") -> list[Path]:
    """List the files in a folder whose names match a pattern, sorted by name.

    Files for which :func:`is_left_behind` is true are left out. For a folder that does not exist, the list is empty.
    """
    return [Path(folder, name) for name in _listing(folder).files if PurePath(name).match(pattern)]


def folders_in(folder: Path | str) -> list[Path]:
    """List the folders in a folder, sorted by name.

    Folders for which :func:`is_left_behind` is true are left out. For a folder that does not exist, the list is empty.
    """
    return [Path(folder, name) for name in _listing(folder).folders]


def files_below(
    folder: Path | str, depth: int | None = None, unreadable: Callable[[InputError], None] | None = None
) -> Iterator[Path]:
    """List the files in a folder and in the folders below it, at most ``depth`` levels down.

    Files and folders for which :func:`is_left_behind` is true are left out. Links to folders are followed, except for those to a
    folder above them. For a folder that does not exist, nothing is listed. If a folder cannot be listed, an InputError is raised
    or, if ``unreadable`` is given, passed to this function.
    """
    for place, found in _walk(Path(folder), depth, unreadable, ()):
        yield from (place / name for name in found.files)


def folders_below(folder: Path | str) -> Iterator[Path]:
    """List the folders below a folder, by the rules of :func:`files_below`. Each folder comes before the folders in it."""
    return islice((place for place, _ in _walk(Path(folder), None, None, ())), 1, None)


def _walk(
    folder: Path, depth: int | None, unreadable: Callable[[InputError], None] | None, above: tuple[str, ...]
) -> Iterator[tuple[Path, Listing]]:
    try:
        found, above = _listing(folder), (*above, os.path.realpath(folder))
    except InputError as error:
        if not unreadable:
            raise
        unreadable(error)
        return
    yield folder, found
    for name in found.folders if depth is None or depth > 0 else ():
        if os.path.realpath(folder / name) not in above:
            yield from _walk(folder / name, None if depth is None else depth - 1, unreadable, above)


def nfc(name: object) -> str:
    """Return a name in Unicode's normal form C, in which names that look equal are equal."""
    return unicodedata.normalize("NFC", str(name))


def plain(name: object) -> str:
    """Return a name of a table in the form in which names are compared: in NFC, without white space around it."""
    return nfc(name).strip()


def path_of(root: Path | str, name: str) -> Path:
    """Find a file below ``root`` by its path in NFC. If there is no such file, return the path unchanged.

    Disks of macOS may store letters with accents in another form (NFD). A file with such a name is found by listing its folders.
    """
    path = Path(root, name)
    if name.isascii() or os.path.lexists(path):
        return path
    path = Path(root)
    for part in PurePath(name).parts:
        there = _listing(path)
        path /= next((entry for entry in (*there.folders, *there.files) if nfc(entry) == part), part)
    return path


def _listing(folder: Path | str) -> Listing:
    return listing(folder) if Path(folder).is_dir() else Listing()


def _leads_up(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a link to this folder, or to one above it."""
    if not entry.is_symlink():
        return False
    folder = os.path.realpath(Path(entry.path).parent)
    return f"{folder}/".startswith(f"{os.path.realpath(entry.path).rstrip('/')}/")


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except PermissionError:
        raise
    except OSError:  # a link in a circle
        return False


def _unreadable(folder: Path | str, error: OSError) -> InputError:
    if isinstance(error, PermissionError):
        place = error.filename or folder
        remedy = f"make it readable: chmod u+rX {place}, as its owner"
        return InputError(place, "a folder or link that this user may not read", "a readable folder", remedy)
    return InputError(folder, f"a folder that cannot be listed ({error.strerror})", "a readable folder", "check the disk")
