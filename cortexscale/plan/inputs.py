"""The input files of a study from outside its results folder, and the owner of this folder."""

import json
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from cortexscale.errors import InputError
from cortexscale.study import Study

_MOST_LISTED = 12


class Inputs:
    """Tell which input files of a study exist or will be simulated."""

    def __init__(self, study: Study):
        self.plan_without_data = study.plan_without_data
        self._simulated = Path(study.results) / "raw" if study.simulation else None

    def is_simulated(self, file: str) -> bool:
        """Tell whether the simulation of the study makes a file."""
        return self._simulated in Path(file).parents

    def at_hand(self, file: str) -> bool:
        """Tell whether a file exists or will be simulated."""
        return self.is_simulated(file) or Path(file).exists()

    def planned(self, files: Iterable[str]) -> list[str]:
        """List the files that a rule waits for. With ``plan_without_data`` missing files are left out, so dry-runs work."""
        return [file for file in files if not self.plan_without_data or self.at_hand(file)]


def require_files(missing: list[str], n_wanted: int) -> None:
    """Raise an InputError that lists all missing files of a study, if any are missing."""
    if not missing:
        return
    listed = "".join(f"\n      - {file}" for file in missing[:_MOST_LISTED])
    listed += "\n      - ..." if len(missing) > _MOST_LISTED else ""
    raise InputError(
        "raw data",
        f"{len(missing)} of {n_wanted} files are missing{listed}",
        "every file where the config says",
        "`snakemake check_data` says more: fetch them, correct their paths in the config, or plan (-n) with "
        "plan_without_data: true",
    )


def asked_files(targets: Collection[str], results: str, pattern: str) -> list[str]:
    """Match the requested files of the results folder with ``pattern``, and list the first group of every match."""
    file = re.compile(f"{re.escape(os.path.normpath(results))}/{pattern}")
    return list(dict.fromkeys(match[1] for target in targets if (match := file.fullmatch(os.path.normpath(target)))))


def require_owner(results: str, study: str) -> None:
    """Raise an InputError if a results folder belongs to another study."""
    marker = _marker(results)
    owner = json.loads(marker.read_text(encoding="utf-8"))["study"] if marker.exists() else study
    if owner != study:
        remedy = "set `results:` in the config to a folder of its own, or pass the config file of that study with --configfile"
        raise InputError(marker, f"results of study `{owner}`", f"results of study `{study}`, or an empty folder", remedy)


def claim(results: str, study: str) -> None:
    """Note in a results folder that it belongs to a study."""
    marker = _marker(results)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"study": study}) + "\n", encoding="utf-8")


def _marker(results: str) -> Path:
    return Path(results) / "study.json"
