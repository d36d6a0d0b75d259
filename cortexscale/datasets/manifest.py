"""Known sizes and checksums of released files, from ``manifest.tsv`` in the folder of a dataset.

Sizes and checksums come from git-annex keys of the OpenNeuro and NEMAR datasets, and from Brain-Score's registry.
"""

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from cortexscale.datasets.registry import NAMES


@dataclass(frozen=True)
class Released:
    """A released file, and its known size and checksum."""

    path: str  # relative to the root of the release
    release: str  # archive and version
    bytes: int | None
    at_least: int | None  # if the size of the file is unknown, a lower bound: the size of its arrays
    algo: str | None  # algorithm of the checksum
    digest: str | None

    def wrong_size(self, size: int) -> str | None:
        """Describe what is wrong with the ``size`` of a file in bytes. If it is right, return None."""
        if self.bytes is not None and size != self.bytes:
            return f"{size:,} bytes; {self.bytes:,} in the release ({self.release})"
        if self.at_least is not None and size < self.at_least:
            return f"{size:,} bytes; at least {self.at_least:,} in the release ({self.release})"
        return None

    def wrong_content(self, file: Path) -> str | None:
        """Describe what is wrong with the content of a file. If it is right, return None. The whole file is read."""
        if self.algo is None or self.digest is None:
            return None
        with file.open("rb") as handle:
            found = hashlib.file_digest(handle, self.algo).hexdigest()
        return None if found == self.digest else f"{self.algo} {found}; {self.digest} in the release ({self.release})"


@cache
def _manifest(reader: str) -> dict[str, Released]:
    """Return the released files by path and by unique file name. Names are used because the folders of a copy can differ from
    those of the release."""
    table = Path(__file__).parent / reader / "manifest.tsv"
    if reader not in NAMES or not table.exists():
        return {}
    entries = []
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            size, at_least = (int(row[key]) if row[key] else None for key in ("bytes", "at_least"))
            entries.append(Released(row["path"], row["release"], size, at_least, row["algo"] or None, row["digest"] or None))
    named = Counter(PurePath(entry.path).name for entry in entries)
    unique = {name: entry for entry in entries if named[name := PurePath(entry.path).name] == 1}
    return unique | {entry.path: entry for entry in entries}


def released_file(reader: str, path: PurePath) -> Released | None:
    """Return what is known of a file, or None. Its path is relative to the root of the dataset.

    A file that is nested deeper than in the release is found by the end of its path, or by its name if that is unique.
    """
    known = _manifest(reader)
    parts = path.parts
    return next((known[end] for n in range(len(parts)) if (end := "/".join(parts[n:])) in known), None)
