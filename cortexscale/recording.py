"""A Recording: the responses of one subject of one dataset, ready for alignment."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.files import whole_file


@dataclass(frozen=True)
class Split:
    """Responses to a set of stimuli, averaged over repetitions.

    Attributes:
        stimulus_ids: (n,) str, rows of the stimulus table.
        responses: (n, units) float32.
        repetitions: (n,) int, trials averaged into each row.
    """

    stimulus_ids: np.ndarray
    responses: np.ndarray
    repetitions: np.ndarray


@dataclass(frozen=True)
class Recording:
    """One subject of one dataset.

    Attributes:
        dataset, subject: their names in the config.
        train, test: the two splits. They share no stimulus.
        units: one row per unit: ``unit`` (id), ``nc_percent`` (noise ceiling of the test split, percent of
            variance) and what the modality has (electrode, voxel i/j/k, channel, time).
        rois: one boolean column per ROI, one row per unit. ROIs may overlap or be empty.
        notes: what the reader saw and a user should know (dropped units, subject's sessions ...).
    """

    dataset: str
    subject: str
    train: Split
    test: Split
    units: pd.DataFrame
    rois: pd.DataFrame
    notes: dict = field(default_factory=dict)

    def check(self) -> "Recording":
        """Return self if every promise of the class holds.

        Raises:
            InputError: names the recording and the promise that is broken.
        """
        where = f"recording {self.dataset}/{self.subject}"

        def broken(found: str, expected: str) -> InputError:
            return InputError(where, found, expected, "correct the reader of this dataset, or the files that it read")

        n_units = len(self.units)
        if n_units == 0:
            raise broken("no unit passes the selection", "at least one unit above the noise-ceiling threshold")
        for name, split in (("train", self.train), ("test", self.test)):
            n = len(split.stimulus_ids)
            if n == 0:
                raise broken(f"n_{name} = 0 stimuli", f"at least one {name} stimulus")
            if split.responses.shape != (n, n_units) or split.repetitions.shape != (n,):
                raise broken(
                    f"{name} responses {split.responses.shape} and repetitions {split.repetitions.shape}",
                    f"({n}, {n_units}) and ({n},)",
                )
            if len(set(split.stimulus_ids)) != n:
                raise broken(f"{name} stimulus ids repeat", "one row per stimulus")
            bad = ~np.isfinite(split.responses)
            if bad.any():
                unit = self.units["unit"].iloc[np.flatnonzero(bad.any(axis=0))[0]]
                raise broken(f"{bad.sum()} non-finite {name} responses, first in unit {unit}", "finite responses")
        shared = set(self.train.stimulus_ids) & set(self.test.stimulus_ids)
        if shared:
            raise broken(f"{len(shared)} stimuli are in both splits, e.g. {sorted(shared)[0]}", "disjoint splits")
        if len(self.rois) != n_units or set(self.rois.dtypes) != {np.dtype(bool)}:
            raise broken(f"an ROI table of {self.rois.shape}", f"{n_units} rows of booleans")
        ceiling = self.units["nc_percent"].to_numpy()
        if not ((ceiling > 0) & (ceiling <= 100)).all():
            raise broken("noise ceilings outside (0, 100] percent", "ceilings in percent of variance, above 0")
        return self

    def save(self, path: Path | str) -> None:
        """Write one HDF5 file; it appears whole or not at all."""
        self.check()
        with whole_file(path) as part, h5py.File(part, "w") as file:
            file.attrs.update(dataset=self.dataset, subject=self.subject, notes=json.dumps(self.notes))
            for name, split in (("train", self.train), ("test", self.test)):
                group = file.create_group(name)
                group["stimulus_ids"] = np.asarray(split.stimulus_ids, dtype=h5py.string_dtype())
                group["responses"] = split.responses.astype(np.float32, copy=False)
                group["repetitions"] = split.repetitions
            for name, table in (("units", self.units), ("rois", self.rois)):
                group = file.create_group(name, track_order=True)
                for column in table:
                    values = table[column].to_numpy()
                    group[column] = values.astype(h5py.string_dtype()) if values.dtype.kind in "OUT" else values


def load_recording(path: Path | str) -> Recording:
    """Read a Recording written by :meth:`Recording.save`."""
    with h5py.File(path, "r") as file:

        def column(dataset: h5py.Dataset) -> np.ndarray:
            return dataset.asstr()[:].astype(str) if h5py.check_string_dtype(dataset.dtype) else dataset[:]

        def split(name: str) -> Split:
            group = file[name]
            return Split(column(group["stimulus_ids"]), group["responses"][:], group["repetitions"][:])

        units, rois = (pd.DataFrame({key: column(data) for key, data in file[name].items()}) for name in ("units", "rois"))
        return Recording(
            file.attrs["dataset"],
            file.attrs["subject"],
            split("train"),
            split("test"),
            units,
            rois,
            json.loads(file.attrs["notes"]),
        )
