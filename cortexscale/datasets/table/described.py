"""An open recording: its array of responses with the stimuli, units and split that the options describe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.datasets.readers import COLUMNS
from cortexscale.datasets.screening import MOST_DAMAGED
from cortexscale.datasets.table.arrays import StoredArray, open_array
from cortexscale.datasets.table.axes import AxisTable, stimuli_along, units_along
from cortexscale.datasets.table.options import SUBJECT, Options
from cortexscale.datasets.table.split import split_stimuli
from cortexscale.datasets.table.trials import require_no_copies, require_recorded
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.text_tables import EMPTY


@dataclass(frozen=True)
class Described:
    """A recording of one subject.

    Attributes:
        path: file with the array.
        ids: ids of the stimuli, (stimuli,) str, in the order of their first entries on the axis.
        stimulus: position in ``ids`` of each entry of the axis ``stimulus``.
        train, test: whether a stimulus is a training or a test stimulus, (stimuli,) bool.
        own: positions of the subject's units on the axis ``unit``.
    """

    path: Path
    options: Options
    array: StoredArray
    ids: np.ndarray
    stimulus: np.ndarray
    train: np.ndarray
    test: np.ndarray
    units: AxisTable
    own: np.ndarray

    def trials(self) -> tuple[np.ndarray, np.ndarray]:
        """Read the responses to every trial, (trials, units) float64, and the stimulus of every trial, (trials,).

        A trial without a finite response in any unit was not recorded, and is left out.
        """
        values, names = self.array.read(), list(self.options.responses.axes)
        if "time" in names:
            values = self._over_time(values, names.index("time"))
            names.remove("time")
        if "repetition" not in names:
            values, names = values[..., None], [*names, "repetition"]
        values = values.transpose([names.index(name) for name in ("stimulus", "repetition", "unit")])[:, :, self.own]
        repetitions = values.shape[1]
        trials = values.reshape(-1, len(self.own)).astype(np.float64, copy=False)
        shown = np.isfinite(trials).any(axis=1)
        trials, stimulus = trials[shown], np.repeat(self.stimulus, repetitions)[shown]
        require_recorded(self.path, trials, self.ids[stimulus])
        return trials, stimulus

    def _over_time(self, values: np.ndarray, axis: int) -> np.ndarray:
        """Average over the axis of time. An InputError is raised if some time bins of a response are missing, but not all."""
        missing = np.isnan(values)
        if (cut := missing.any(axis=axis) & ~missing.all(axis=axis)).any():
            found = f"{cut.sum():,} of {cut.size:,} responses of which only some bins of time are nan"
            remedy = "cut all trials to the bins that every trial has"
            raise InputError(self.path, found, "nan in all bins of a trial that was not recorded, and in no other", remedy)
        return values.mean(axis=axis, dtype=np.float64)

    def ceilings(self, trials: np.ndarray, stimulus: np.ndarray) -> np.ndarray:
        """Return the noise ceiling of each unit in percent, (units,). It is given in the table of units, or computed from the
        trials of test stimuli.

        The noise ceiling is nan for a unit that lacks a response in a trial of a test stimulus.
        """
        if column := self.options.units.nc_percent:
            return self.units.numbers(column)[self.own]
        of_test = self.test[stimulus]
        require_no_copies(self.path, trials[of_test], self.ids[stimulus[of_test]])
        counts = np.bincount(stimulus[of_test], minlength=len(self.ids))[self.test]
        counts = counts[counts > 0]
        if len(counts) < 2 or counts.max() < 2:
            found = f"at most {counts.max(initial=0)} trial of {len(counts)} test stimuli, from which there is no noise ceiling"
            remedy = "name the column of given noise ceilings in `units.nc_percent`, or choose repeated stimuli for the test"
            raise InputError(self.path, found, "two test stimuli, of which one has two trials", remedy)
        return noise_ceiling_percent(ncsnr_from_trials(trials[of_test], stimulus[of_test]), counts)

    def unit_names(self) -> np.ndarray:
        """Return the names of the subject's units, (units,) str."""
        if column := self.options.units.unit:
            return self.units.names(column)[self.own]
        return np.array([f"unit{position + 1:04d}" for position in self.own], dtype=str)

    def rois(self) -> pd.DataFrame:
        """Return a boolean column for each ROI, with a row for each of the subject's units."""
        units = self.options.units
        if units.roi:
            members = {units.roi: np.ones(len(self.units), bool)}
        elif units.roi_column:
            names = self.units.spelt_once(units.roi_column)
            members = {str(roi): names == roi for roi in np.unique(names)}
        else:
            members = {roi: self.units.flags(roi) for roi in units.roi_columns}
        if taken := COLUMNS.intersection(members):
            expected = f"other names than {', '.join(sorted(COLUMNS))}, which are columns of a recording"
            raise InputError(self.units.where, f"an ROI called {min(taken)}", expected, "rename the ROI")
        return pd.DataFrame({roi: inside[self.own] for roi, inside in members.items()})

    def other_columns(self) -> pd.DataFrame:
        """Return the columns of the units that the options do not name, such as positions, for the subject's units."""
        units = self.options.units
        named = {units.unit, units.roi_column, units.subject, units.nc_percent, *units.roi_columns, "unit", "nc_percent", "kept"}
        table = self.units.table
        return table[[name for name in table if name not in named]].iloc[self.own].apply(_as_numbers).reset_index(drop=True)

    def require_most_whole(self, whole: np.ndarray) -> None:
        """Raise an InputError if more than one unit, and more than 5 % of the units, lack responses. ``whole`` is (units,)
        bool."""
        damaged = int((~whole).sum())
        if damaged > max(1, MOST_DAMAGED * len(whole)):
            found = f"{damaged:,} of {len(whole):,} units with a missing response in trials that other units have"
            expected = f"at most {100 * MOST_DAMAGED:g} % of such units; a trial that was not recorded is nan in all units"
            raise InputError(self.path, found, expected, "leave these units out of the file, or their trials in all units")


@contextmanager
def described(root: Path, subject: str, options: Options) -> Iterator[Described]:
    """Open the recording of a subject. An InputError is raised unless its tables fit the array and the options."""
    path = root / options.responses.file.replace(SUBJECT, subject)
    with open_array(path, options.responses.variable) as array:
        _require_shape(path, array, options)
        axis = list(options.responses.axes).index
        along = {name: array.coordinates.get(axis(name)) for name in ("stimulus", "unit")}
        length = {name: array.shape[axis(name)] for name in ("stimulus", "unit")}
        stimuli, entries = stimuli_along(root, subject, options.stimuli, along["stimulus"], path)
        units = units_along(root, subject, options.units, along["unit"], path, length["unit"])
        for table, name in ((stimuli, "stimulus"), (units, "unit")):
            if len(table) != length[name]:
                found, expected = f"{len(table):,} rows", f"{length[name]:,}, one for each {name} of {path.name}"
                raise InputError(
                    table.where, found, expected, f"correct `{table.option}` of this dataset, or the order of the axes"
                )
        ids, first, stimulus = np.unique(entries, return_index=True, return_inverse=True)
        order = np.argsort(first)
        ids, stimulus = ids[order], np.argsort(order)[stimulus]
        train, test = split_stimuli(root, options.split, stimuli, stimulus, ids)
        own = _units_of(subject, options, units)
        yield Described(path, options, array, ids, stimulus, train, test, units, own)


def _require_shape(path: Path, array: StoredArray, options: Options) -> None:
    axes = options.responses.axes
    expected = tuple(axes.values())
    if options.is_shared:
        fits = array.shape == expected
    else:
        fits = len(array.shape) == len(expected) and all(n <= most for n, most in zip(array.shape, expected, strict=True))
    if not fits:
        named = ", ".join(f"{name} {length:,}" for name, length in axes.items())
        found, most = f"an array of shape {array.shape}", "" if options.is_shared else "at most "
        remedy = "correct `responses.axes` of this dataset"
        if sorted(array.shape) == sorted(expected):
            remedy += "; the order of its entries is that of the file's axes, and programs that write YAML may sort them"
        raise InputError(path, found, f"{most}{expected} ({named})", remedy)


def _units_of(subject: str, options: Options, units: AxisTable) -> np.ndarray:
    if options.units.subject is None:
        return np.arange(len(units))
    names = units.spelt_once(options.units.subject)
    if subject not in names:
        found = f"units of {', '.join(np.unique(names)[:10])}"
        raise InputError(units.where, found, f"units of {subject}", "correct `subjects` of this dataset")
    return np.flatnonzero(names == subject)


def _as_numbers(column: pd.Series) -> pd.Series:
    """Return a column of text as numbers if all its fields are numbers or stand for a missing number, such as NA."""
    if not (isinstance(column.dtype, pd.StringDtype) or column.dtype == object):
        return column
    try:
        return pd.to_numeric(column.where(~column.isin(EMPTY)))
    except (ValueError, TypeError):
        return column
