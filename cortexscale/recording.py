"""A Recording holds the responses of one subject of one dataset, ready for alignment."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from cortexscale.arrays import open_hdf5
from cortexscale.errors import InputError
from cortexscale.files import whole_file

_TABLES = ("units", "rois", "screening", "perfect")
_ROWS = 256  # number of stimuli whose responses are checked at a time


@dataclass(frozen=True)
class Split:
    """Responses to a set of stimuli, averaged over repetitions."""

    stimulus_ids: np.ndarray  # (n,) str, as in the stimulus table
    responses: np.ndarray  # (n, units) float32
    repetitions: np.ndarray  # (n,) int, number of trials averaged in each row


@dataclass(frozen=True)
class Recording:
    """The responses of one subject of one dataset. The training and test splits share no stimulus.

    Attributes:
        units: a table with one row per unit. It has ``unit`` (id), ``nc_percent`` (noise ceiling of the test split, in percent of
            variance) and columns that depend on the modality, such as the electrode, the voxel's i/j/k, or the channel and time.
        rois: a table with one boolean column per ROI and one row per unit. ROIs can overlap, and can be empty.
        notes: facts for the user about how the files were read, such as dropped units, the subject's sessions or
            ``released_statistic``.
        screening: a table with one row for every unit that was examined, kept or not. It has ``unit``, ``nc_percent`` (nan if it
            cannot be computed), ``kept`` and the columns of ``rois``. M/EEG adds ``channel`` and ``time`` (s). If the release
            includes a statistic of each unit, the column ``released`` has this statistic, and the column ``recomputed`` has our
            value of it from single trials (nan if it was not recomputed).
        perfect: a table with one row per unit and one column per ROI: the expected r^2 of a perfect model
            (:mod:`cortexscale.kernels.perfect_model`), nan for units outside the ROI. It is empty if it is not known.
    """

    dataset: str
    subject: str
    train: Split
    test: Split
    units: pd.DataFrame
    rois: pd.DataFrame
    notes: dict[str, Any] = field(default_factory=dict)
    screening: pd.DataFrame = field(default_factory=pd.DataFrame)
    perfect: pd.DataFrame = field(default_factory=pd.DataFrame)

    def problems(self) -> list[str]:
        """List the requirements of the class that are not met, each as a line "found; expected".

        For a valid recording the list is empty.
        """
        n_units = len(self.units)
        if n_units == 0:
            return ["no unit passes the selection; at least one unit above the noise-ceiling threshold is needed"]
        found = [problem for name in ("train", "test") for problem in self._split_problems(name)]
        if shared := set(self.train.stimulus_ids) & set(self.test.stimulus_ids):
            found.append(f"{len(shared)} stimuli are in both splits, e.g. {min(shared)}; train and test share none")
        for column in ("unit", "nc_percent"):
            if column not in self.units:
                return [*found, f"the unit table has no column `{column}`; it has {', '.join(map(str, self.units))}"]
        if (repeated := self.units["unit"].duplicated()).any():
            found.append(f"the unit {self.units['unit'][repeated].iloc[0]} occurs twice; unit ids are unique within a subject")
        if len(self.rois) != n_units or set(self.rois.dtypes) != {np.dtype(bool)}:
            found.append(f"an ROI table of {self.rois.shape}; one boolean column per ROI, {n_units} rows")
        ceiling = self.units["nc_percent"].to_numpy()
        if not ((ceiling > 0) & (ceiling <= 100)).all():
            found.append("noise ceilings outside (0, 100]; percent of variance, above 0")
        elif ceiling.max() <= 1:
            found.append("no noise ceiling above 1 (are these fractions?); percent of variance")
        if wrong := [str(column) for column in (*self.rois, *self.units, *self.screening) if "/" in str(column)]:
            found.append(f"the name {wrong[0]}; names of ROIs and columns without a slash, which HDF5 takes for a group")
        return found + self._screening_problems()

    def _split_problems(self, name: str) -> list[str]:
        split, n_units = getattr(self, name), len(self.units)
        n = len(split.stimulus_ids)
        if n == 0:
            return [f"n_{name} = 0 stimuli; at least one {name} stimulus is needed"]
        if split.responses.shape != (n, n_units) or split.repetitions.shape != (n,):
            shapes = f"{name} responses {split.responses.shape} and repetitions {split.repetitions.shape}"
            return [f"{shapes}; one row per stimulus and one column per unit, ({n}, {n_units}) and ({n},)"]
        found = []
        if len(set(split.stimulus_ids)) != n:
            found.append(f"{name} stimulus ids repeat; one row per stimulus, averaged over its repetitions")
        blocks = (split.responses[first : first + _ROWS] for first in range(0, n, _ROWS))
        bad = sum((~np.isfinite(block)).sum(axis=0) for block in blocks)
        if bad.any():
            unit = self.units["unit"].iloc[np.flatnonzero(bad)[0]]
            found.append(f"{bad.sum()} non-finite {name} responses, first in unit {unit}; all responses are finite")
        if (split.repetitions < 1).any():
            found.append(f"{name} stimuli averaged over 0 trials; at least one trial each")
        return found

    def _screening_problems(self) -> list[str]:
        if self.screening.empty:
            return []
        missing = [column for column in ("unit", "nc_percent", "kept", *self.rois) if column not in self.screening]
        if missing:
            return [f"the screening table has no column {', '.join(missing)}; it needs each unit's ceiling, `kept` and ROIs"]
        kept = self.screening[self.screening["kept"].to_numpy(bool)]
        if kept["unit"].tolist() != self.units["unit"].tolist():
            return [f"the screening table keeps {len(kept)} units; the {len(self.units)} of the unit table, in the same order"]
        return []

    def check(self) -> "Recording":
        """Return the recording.

        If it does not meet all requirements of the class, raise an InputError that lists its :meth:`problems`.
        """
        if problems := self.problems():
            found = problems[0] if len(problems) == 1 else "\n      - ".join([f"{len(problems)} problems", *problems])
            remedy = "correct the reader of this dataset, or the files that it read"
            where, expected = f"recording {self.dataset}/{self.subject}", "a sound Recording (cortexscale/recording.py)"
            raise InputError(where, found, expected, remedy)
        return self

    def save(self, path: Path | str) -> None:
        """Write the recording to one HDF5 file, which appears complete or not at all."""
        self.check()
        with whole_file(path) as part, open_hdf5(part, "w") as file:
            file.attrs.update(dataset=self.dataset, subject=self.subject, notes=json.dumps(self.notes))
            for name, split in (("train", self.train), ("test", self.test)):
                group = file.create_group(name)
                group["stimulus_ids"] = np.asarray(split.stimulus_ids, dtype=h5py.string_dtype())
                group["responses"] = split.responses.astype(np.float32, copy=False)
                group["repetitions"] = split.repetitions
            for name in _TABLES:
                group, table = file.create_group(name, track_order=True), getattr(self, name)
                for column in table:
                    group[column] = _storable(table[column])


def load_recording(path: Path | str, *, responses: bool = True) -> Recording:
    """Read a Recording that :meth:`Recording.save` wrote. If ``responses`` is False, no responses are read."""
    columns = slice(None) if responses else slice(0)
    with open_hdf5(path) as file:
        train, test = (
            Split(_column(split["stimulus_ids"]), split["responses"][:, columns], split["repetitions"][:])
            for split in (file["train"], file["test"])
        )
        units, rois, screening, perfect = (_table(file[name]) for name in _TABLES)
        dataset, subject, notes = (file.attrs[name] for name in ("dataset", "subject", "notes"))
    return Recording(dataset, subject, train, test, units, rois, json.loads(notes), screening, perfect)


def load_screening(path: Path | str) -> pd.DataFrame:
    """Read only the screening table of a Recording that :meth:`Recording.save` wrote."""
    with open_hdf5(path) as file:
        return _table(file["screening"])


def _storable(column: pd.Series) -> np.ndarray:
    """Return a column of numbers as it is, and any other one, such as dates or notes, as text. Its gaps become empty texts."""
    if (values := column.to_numpy()).dtype.kind in "biuf":
        return values
    return column.astype(object).where(column.notna(), "").map(str).to_numpy(dtype=h5py.string_dtype())


def _column(dataset: h5py.Dataset) -> np.ndarray:
    return dataset.asstr()[:].astype(str) if h5py.check_string_dtype(dataset.dtype) else dataset[:]


def _table(group: h5py.Group) -> pd.DataFrame:
    return pd.DataFrame({key: _column(data) for key, data in group.items()})
