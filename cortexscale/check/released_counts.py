"""Compare the number of units in downloaded files with the release, to notice files of another subject or version."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from cortexscale.check.report import ReportSection
from cortexscale.datasets.registry import facts
from cortexscale.errors import InputError

_SAME = 0.05  # largest relative difference of a count; the counts of two subjects differ by more than 30 % in some ROI


def compare_counts(section: ReportSection, reader: str, module: ModuleType, root: Path, subject: str, options: BaseModel) -> None:
    """Check that a subject of a built-in dataset has about as many units as the facts of the dataset say (``released_units``).

    Options that describe the files must have their defaults. Subjects and ROIs without known numbers are not compared. If the
    numbers differ, an InputError names the file, the numbers that were found and the numbers of the release.
    """
    known = facts(reader)
    released = known.released_units if known else None
    if released is None or subject not in released.counts:
        return
    file, counted = module.count_units(root, subject, options, released.above)
    expected = {roi: count for roi, count in released.counts[subject].items() if roi in counted}
    found = {roi: counted[roi] for roi in expected}
    what = f"units with a {released.statistic} above {released.above:g}: {_listed(found)}"
    if _close(found, expected):
        section.facts.append(f"{subject} has about as many units as in the release: {what}")
        return
    owner = next((f", as {other} has" for other, counts in released.counts.items() if _close(found, counts)), "")
    remedy = f"files of subjects were exchanged, or are of another version; take all files of {subject} from one release"
    raise InputError(file, what + owner, f"{_listed(expected)}, as in the release of {subject}", remedy)


def _close(found: Mapping[str, int], released: Mapping[str, int]) -> bool:
    return all(abs(count - released[roi]) <= _SAME * released[roi] for roi, count in found.items())


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{roi} {count:,}" for roi, count in counts.items())
