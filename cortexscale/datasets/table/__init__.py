"""A recording that the config describes: an array of responses, and a table for the stimuli and the units along its axes.

It has the interface of a dataset module (docs/adding_a_dataset.md), so that a lab needs no code for its own files. Subjects and
ROIs are the names that the files have.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.datasets.source import Source
from cortexscale.datasets.splits import number_of_test
from cortexscale.datasets.table.axes import listed_images
from cortexscale.datasets.table.described import described
from cortexscale.datasets.table.options import SUBJECT, Options
from cortexscale.errors import InputError
from cortexscale.listing import files_below
from cortexscale.recording import Recording, Split

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

SUBJECTS = ROIS = None
SOURCE = Source(
    title="A recording that the config describes",
    citation="the paper of those who recorded it",
    licence="that of its authors",
    get="put the files where `path` and the options of this dataset say, or correct these.",
)


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List every file that is read. The files need not exist yet."""
    named = (options.responses.file, options.stimuli.table, options.units.table, options.split.file)
    places = [Path(root) / name.replace(SUBJECT, subject) for name in named if name]
    if options.stimuli.images:
        places += listed_images(Path(root), options.stimuli.images)
    return [file for place in places for file in (files_below(place) if place.is_dir() else [place])]


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check everything but the responses. Raise an InputError if a file is missing or does not fit the options."""
    with described(Path(root), subject, options) as opened:
        opened.unit_names(), opened.rois()


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB: the array as it is stored, and two float64 copies of its responses."""
    return 400 + math.ceil(28 * math.prod(options.responses.axes.values()) / 1e6)


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the largest numbers of training stimuli, of test stimuli and of units.

    Raises:
        InputError: several subjects would be read from the same units.
    """
    axes, rule = options.responses.axes, options.split
    if options.is_shared and options.units.subject is None and len(subjects) > 1:
        found = f"one file without a column of subjects for {', '.join(subjects)}"
        remedy = f"write {SUBJECT} in `responses.file`, or name the column of subjects in `units.subject`"
        raise InputError("options of the reader table", found, "units of each subject", remedy)
    stimuli = axes["stimulus"]
    units = axes["unit"] * (1 if options.is_shared else len(subjects))
    if rule.every:
        n_test = math.ceil((stimuli - rule.first) / rule.every)
    elif rule.random:
        n_test = number_of_test(stimuli, rule.random)
    else:
        return stimuli, stimuli, units
    return stimuli - n_test, n_test, units


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read the recording of a subject.

    A trial is missing if it is nan in all units of the subject. A unit is left out if it lacks a response in a trial that is not
    missing. Noise ceilings are computed from the trials of the test stimuli, unless the table of units has them.

    Raises:
        InputError: a file is missing or does not fit the options, more than 5 % of the units lack responses, no test stimulus
            has two trials and no noise ceilings are given, or no unit has a sufficient noise ceiling.
    """
    with described(Path(root), subject, options) as opened:
        trials, stimulus = opened.trials()
        whole = np.isfinite(trials).all(axis=0)
        opened.require_most_whole(whole)
        ceilings = opened.ceilings(trials, stimulus)
        names, rois, others = opened.unit_names(), opened.rois(), opened.other_columns()
        keep = whole & (ceilings > options.min_nc_percent)
        if not keep.any():
            best = f"the highest noise ceiling is {np.max(ceilings, initial=0, where=np.isfinite(ceilings)):.1f} %"
            found = f"no unit of {subject} above {options.min_nc_percent:g} %; {best}"
            raise InputError(
                opened.path, found, "units with a noise ceiling above `min_nc_percent`", "lower it, or check the files"
            )
        counts = np.bincount(stimulus, minlength=len(opened.ids))
        averages = _averages(trials[:, keep], stimulus, counts)
        parts = [part & (counts > 0) for part in (opened.train, opened.test)]
        train, test = (Split(opened.ids[part], averages[part], counts[part]) for part in parts)
    screening = pd.DataFrame({"unit": names, "nc_percent": ceilings, "kept": keep}).join(rois)
    units = screening[["unit", "nc_percent"]].join(others)[keep].reset_index(drop=True)
    notes = {
        "dropped_units": int((~keep).sum()),
        "units_with_missing_responses": int((~whole).sum()),
        "stimuli_without_trials": int((counts == 0).sum()),
    }
    return Recording("table", subject, train, test, units, rois[keep].reset_index(drop=True), notes, screening).check()


def _averages(trials: np.ndarray, stimulus: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average ``trials`` (trials, units) of each stimulus: (stimuli, units) float32. Stimuli without a trial have zeros."""
    order, shown = np.argsort(stimulus, kind="stable"), counts > 0
    starts = (np.cumsum(counts) - counts)[shown]
    averages = np.zeros((len(counts), trials.shape[1]), np.float32)
    averages[shown] = np.add.reduceat(trials[order], starts) / counts[shown, None]
    return averages
