"""Comparison of a download with the counts of its release in ``facts.toml``, which notices files of another subject."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from cortexscale.datasets.registry import all_facts
from cortexscale.errors import InputError

_SAME = 0.05  # largest relative difference of a count; the counts of two subjects differ by at least 10 % in some ROI
_REMEDY = "files of subjects were exchanged, or are of another version; take all files of"


def of_release(options: BaseModel) -> bool:
    """Whether a reader's options describe the whole release. Thresholds (``min_`` and ``max_``) may differ."""
    released = type(options)()
    names = [name for name in type(options).model_fields if not name.startswith(("min_", "max_"))]
    return all(getattr(options, name) == getattr(released, name) for name in names)


def require_released_units(
    path: Path, dataset: str, subject: str, options: BaseModel, statistic: np.ndarray, rois: Mapping[str, np.ndarray]
) -> None:
    """Raise an InputError if other numbers of units than in the release are above the threshold of the facts.

    ``statistic`` is (units,) as released, and ``rois`` has a mask (units,) of each ROI. Files with counts or options of their own
    are not compared, and neither are subjects without counts.
    """
    facts = all_facts()[dataset].released_units
    if facts is None or subject not in facts.counts or not of_release(options):
        return
    above = np.asarray(statistic) > facts.above  # False for nan
    found = {roi: int((above & np.asarray(rois[roi], bool)).sum()) for roi in facts.counts[subject]}
    if _close(found, facts.counts[subject]):
        return
    owners = [other for other, counts in facts.counts.items() if _close(found, counts)]
    whose = f", as {owners[0]} has" if owners else ""
    expected = f"{_listed(facts.counts[subject])}, as in the release of {subject}"
    wrong = f"units with a {facts.statistic} above {facts.above:g}: {_listed(found)}{whose}"
    raise InputError(path, wrong, expected, f"{_REMEDY} {subject} from one release")


def require_released_grid(path: Path, dataset: str, subject: str, options: BaseModel, grid: tuple[int, ...]) -> None:
    """Raise an InputError if a volume has another shape (X, Y, Z) than that of the subject in the release."""
    released = all_facts()[dataset].released_grids.get(subject)
    if released and of_release(options) and tuple(grid) != released:
        raise InputError(
            path,
            f"a volume of shape {tuple(grid)}",
            f"{released}, as in the release of {subject}",
            f"{_REMEDY} {subject} from one release",
        )


def _close(found: Mapping[str, int], released: Mapping[str, int]) -> bool:
    return all(abs(found[roi] - count) <= _SAME * count for roi, count in released.items())


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{roi} {count:,}" for roi, count in counts.items())
