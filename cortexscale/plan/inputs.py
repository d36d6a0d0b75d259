"""The input files of a study: whether they exist, or will be simulated or downloaded, and the digests of their contents."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from cortexscale.contents import Contents
from cortexscale.errors import InputError, Problems
from cortexscale.listing import DOWNLOAD, is_in_cloud
from cortexscale.origins import FOLDER
from cortexscale.study import Study
from cortexscale.study.downloads import Download

_MOST_LISTED = 12


class Inputs:
    """Tell which input files of a study exist, or will be simulated or downloaded."""

    def __init__(self, study: Study):
        self._simulated = Path(study.results) / "raw" if study.simulation else None
        self._downloads, self._offline = study.downloads, study.offline
        self._contents = Contents(Path(study.results) / FOLDER / "contents.json")

    def is_simulated(self, file: str) -> bool:
        """Tell whether the simulation of the study makes a file."""
        return self._simulated in Path(file).parents

    def at_hand(self, file: str) -> bool:
        """Tell whether a file exists, or will be simulated or downloaded."""
        return self.is_simulated(file) or file in self.to_download or Path(file).exists()

    @cached_property
    def to_download(self) -> list[str]:
        """The files of the section ``downloads`` that were missing when the plan was made. Nothing is downloaded offline."""
        return [] if self._offline else [file for file in self._downloads if not Path(file).exists()]

    def downloaded(self, files: Iterable[str]) -> list[str]:
        """List those ``files`` that the section ``downloads`` names, whether they exist or not. Rules wait for them."""
        return [file for file in files if file in self._downloads]

    def check(self, problems: Problems) -> None:
        """Report existing files that do not have the checksum in the section ``downloads``."""
        for file, known in self._downloads.items():
            if Path(file).is_file() and not (found := self._contents.sha256(file)).startswith(known.sha256):
                remedy = f"delete it, and run again or save {known.url} there; if your file is right, correct `downloads`"
                problems.found.append(InputError(file, f"a file with sha256 {found}", f"sha256 {known.sha256}...", remedy))

    def simulated(self, files: Iterable[str]) -> list[str]:
        """List those ``files`` that the simulation makes. Rules wait for them."""
        return [file for file in files if self.is_simulated(file)]

    def contents(self, files: Iterable[str]) -> list[str]:
        """Return the digests of those ``files`` that the simulation does not make.

        A file of the section ``downloads`` has its known checksum as digest, whether it exists or not. Rules have the digests
        among their ``params``. The files are no inputs of rules, because only their content counts, and
        not their date or place.
        """
        return [self._digest(file) for file in files if not self.is_simulated(file)]

    def _digest(self, file: str) -> str:
        known = self._downloads.get(file)
        return f"sha256 {known.sha256}" if known else self._contents.of(file)

    def named(self, value: object) -> list[str]:
        """Return the digests of all existing files whose paths occur in a value, also within its lists and dicts."""
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            return [digest for entry in value for digest in self.named(entry)]
        return [self._contents.of(value)] if isinstance(value, str) and value and Path(value).is_file() else []

    def names(self, images: str | None) -> str | None:
        """Return the digest of the file names of labelled images, for the ``params`` of a rule; None if they are simulated."""
        return self._contents.names_in(images) if images and not self.is_simulated(images) else None


def require_files(missing: list[str], n_wanted: int, downloads: Mapping[str, Download]) -> None:
    """Raise an InputError that lists all missing files of a study, if any are missing, with the addresses that are known."""
    if not missing:
        return
    clouded = [file for file in missing if is_in_cloud(file)]
    missing = sorted(missing, key=lambda file: file not in clouded)
    remarks = {file: f" (from {known.url})" for file, known in downloads.items()} | dict.fromkeys(clouded, " (in iCloud)")
    listed = "".join(f"\n      - {file}{remarks.get(file, '')}" for file in missing[:_MOST_LISTED])
    listed += "\n      - ..." if len(missing) > _MOST_LISTED else ""
    raise InputError(
        "raw data",
        f"{len(missing)} of {n_wanted} files are missing{listed}",
        "every file where the config says",
        (f"{len(clouded)} of them are in iCloud and not on this disk; {DOWNLOAD}; " if clouded else "")
        + "`snakemake check_data` says more: fetch them, correct their paths in the config, or plan (-n) with "
        "plan_without_data: true",
    )


def asked_files(targets: Collection[str], results: str, pattern: str) -> list[str]:
    """Match the requested files of the results folder with ``pattern``, and list the first group of every match."""
    file = re.compile(f"{re.escape(os.path.normpath(results))}/{pattern}")
    return list(dict.fromkeys(match[1] for target in targets if (match := file.fullmatch(os.path.normpath(target)))))
