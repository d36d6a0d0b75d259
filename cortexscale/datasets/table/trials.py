"""Trials that nobody recorded: one number in place of responses, and copies of other trials."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.errors import InputError

logger = logging.getLogger(__name__)

_FEWEST_UNITS = 10  # fewer units may have equal responses by chance
_FEWEST_VALUES = 5  # different responses in a trial; trials with fewer may be equal by chance
_EXAMINED = 1000  # different responses are counted in this many units


def require_recorded(path: Path, trials: np.ndarray, ids: np.ndarray) -> None:
    """Raise an InputError if trials (trials, units) have the same number, such as -999, in all units. ``ids`` is (trials,) str.

    If the number is 0, there is only a warning, because units can be silent.
    """
    if trials.shape[1] < _FEWEST_UNITS:
        return
    filled = (trials == trials[:, :1]).all(axis=1)
    for of_zeros in (False, True):
        rows = np.flatnonzero(filled & ((trials[:, 0] == 0) == of_zeros))
        if not len(rows):
            continue
        found = f"{len(rows):,} trials with the number {trials[rows[0], 0]:g} in all units, the first one of {ids[rows[0]]}"
        expected = "nan in all units of a trial that was not recorded"
        if not of_zeros:
            raise InputError(path, found, expected, "write nan in place of this number")
        logger.warning("%s: found %s; expected %s", path, found, expected)


def require_no_copies(path: Path, trials: np.ndarray, ids: np.ndarray) -> None:
    """Raise an InputError if more than half of the repeated stimuli have equal trials, because a noise ceiling computed from
    copies is too high.

    The trials (trials, units) have the stimuli ``ids``, (trials,) str.
    """
    varied = [len(np.unique(trial[:_EXAMINED])) >= _FEWEST_VALUES for trial in trials]
    table = pd.DataFrame({"id": ids[varied], "trial": [trial.tobytes() for trial in trials[varied]]})
    counts = table.groupby("id", sort=False)["trial"].agg(["size", "nunique"]).query("size > 1")
    copied = counts.index[counts["nunique"] < counts["size"]]
    if len(copied) > len(counts) / 2:
        found = f"equal trials of {len(copied):,} of {len(counts):,} repeated test stimuli, e.g. {copied[0]}"
        remedy = "take the trials as they were recorded; an average may have been repeated, or a session copied"
        raise InputError(path, found, "trials that differ, because noise ceilings are computed from them", remedy)
