"""Sizes and checksums of released files, as far as they are known: ``manifest.tsv`` in the folder of a dataset.

They come from the metadata that the archives publish beside the files: git-annex keys of the OpenNeuro and NEMAR
datasets, and hashes in Brain-Score's registry. ``at_least`` is the size of the arrays in a file whose exact size is not
known.
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
    """One released file.

    Attributes:
        path: relative to the root of the release.
        release: archive and version.
        bytes: its size, if it is known.
        at_least: otherwise a lower bound of its size, if one is known.
        algo: algorithm of the checksum, if one is known.
        digest: the checksum.
    """

    path: str
    release: str
    bytes: int | None
    at_least: int | None
    algo: str | None
    digest: str | None

    def wrong_size(self, size: int) -> str | None:
        """Say what is wrong with a file of ``size`` bytes, or return None."""
        if self.bytes is not None and size != self.bytes:
            return f"{size:,} bytes; {self.bytes:,} in the release ({self.release})"
        if self.at_least is not None and size < self.at_least:
            return f"{size:,} bytes; at least {self.at_least:,} in the release ({self.release})"
        return None

    def wrong_content(self, file: Path) -> str | None:
        """Say what is wrong with the content of a file, all of which is read, or return None."""
        if self.algo is None or self.digest is None:
            return None
        with file.open("rb") as handle:
            found = hashlib.file_digest(handle, self.algo).hexdigest()
        return None if found == self.digest else f"{self.algo} {found}; {self.digest} in the release ({self.release})"


@cache
def _manifest(reader: str) -> dict[str, Released]:
    """Return path -> released file, and file name -> released file for names that are unique.

    Names are needed because copies of a release may be nested differently.
    """
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
    """Return what is known of a file of a dataset, or None.

    A file that lies deeper than in the release is found by the end of its path, or by its name if that is unique.

    Args:
        reader: name of a built-in dataset; nothing is known of others.
        path: the file, relative to the root of the dataset.
    """
    known = _manifest(reader)
    parts = path.parts
    return next((known[end] for n in range(len(parts)) if (end := "/".join(parts[n:])) in known), None)
