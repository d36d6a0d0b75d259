"""The files outside the results folder that a study needs, and whether they can be had."""

from collections.abc import Iterable
from pathlib import Path

from cortexscale.errors import InputError
from cortexscale.study import Study

_MOST_LISTED = 12


class Inputs:
    """Tells which input files exist or will be made by the simulation of a study."""

    def __init__(self, study: Study):
        self.plan_without_data = study.plan_without_data
        self._simulates = study.simulation is not None
        self._simulated = Path(study.results) / "raw"

    def is_simulated(self, file: str) -> bool:
        """Tell whether the simulation of the study makes a file."""
        return self._simulates and self._simulated in Path(file).parents

    def at_hand(self, file: str) -> bool:
        """Tell whether a file exists or will be simulated."""
        return self.is_simulated(file) or Path(file).exists()

    def planned(self, files: Iterable[str]) -> list[str]:
        """List the files that a rule waits for.

        These are all of ``files``, or with ``plan_without_data`` those that are at hand, so that a dry-run can ignore the others.
        """
        return [file for file in files if not self.plan_without_data or self.at_hand(file)]


def require_files(missing: list[str], n_wanted: int) -> None:
    """Raise one InputError that lists all missing files of a study, if there are any."""
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
