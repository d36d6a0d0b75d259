"""The released files of THINGS-MEG: their paths, and functions that open and check them.

The epochs of a subject are one FIF recording in four files. Each file stores the name of the next, so renamed parts are not
found. MNE reports a missing part. If the first part is truncated, MNE only warns, and most epochs are missing. MNE does not
notice if a file names an earlier part as the next one.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cortexscale.datasets.formats.meeg import meg_lobe
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import files_below
from cortexscale.text_tables import read_table

if TYPE_CHECKING:
    import mne

RATE = 200.0
TIMES = 281
SENSORS = 271
FIRST_TIME = -0.1
CATCH = 999999  # event code of catch trials; the event code of other trials is the number of the image

_FILE_ID, _NEXT_FILE, _END = 100, 118, -1
"""Two kinds of FIF tags, and the value by which the last tag of a file is recognised."""

COLUMNS = ("trial_type", "image_path", "session_nr", "things_image_nr")
"""The columns that are read from the table of trials, which has 18 columns."""
WHERE = "They are derivatives/preprocessed/preprocessed_P*-epo*.fif of OpenNeuro ds004212 (2.0.0 or later)."


@dataclass(frozen=True)
class Participant:
    """Paths of the files of one subject."""

    name: str
    parts: list[Path]  # the epoch files, in the order of the chain
    attributes: Path  # table of trials, which is also released separately
    table: bool  # whether trials are read from this table instead of the epoch files

    @property
    def files(self) -> list[Path]:
        return [*self.parts, *([self.attributes] if self.table else [])]

    def unlike(self, found: str, expected: str, remedy: str = "") -> InputError:
        """Return the error for epochs whose content differs from the release."""
        return InputError(self.parts[0], found, expected, remedy or f"download the epochs of {self.name} again. {WHERE}")


def locate(root: Path, name: str, n_parts: int, *, table: bool) -> Participant:
    """Return the files of one subject below ``root``.

    They need not exist. They can have the paths of OpenNeuro, or be in any other folder, which is found by the name of the first
    part.
    """
    names = [f"preprocessed_{name}-epo{f'-{part}' if part else ''}.fif" for part in range(n_parts)]
    folder = _folder_of(Path(root), "derivatives/preprocessed", names[0])
    attributes = f"sample_attributes_{name}.csv"
    beside = _folder_of(Path(root), "sourcedata", attributes) if table else Path(root) / "sourcedata"
    return Participant(name, [folder / part for part in names], beside / attributes, table)


def _folder_of(root: Path, released: str, file: str) -> Path:
    for folder in (root / released, root):
        if (folder / file).is_file():
            return folder
    return next((found.parent for found in files_below(root) if found.name == file), root / released)


def open_participant(participant: Participant, n_epochs: int) -> "tuple[mne.Epochs, pd.DataFrame]":
    """Open the epochs of one subject without loading them.

    Return the epochs, and a table with one row per epoch and at least :data:`COLUMNS`.
    """
    import mne

    _require_chain(participant.parts)
    try:
        epochs = mne.read_epochs(participant.parts[0], proj=False, preload=False, verbose="ERROR")
    except Exception as error:  # MNE raises many types of exceptions, even AssertionError
        expected = "one recording, whose parts follow each other under their released names"
        raise participant.unlike(f"files that MNE cannot read together ({type(error).__name__}: {error})", expected) from error
    if len(epochs) != n_epochs:
        remedy = f"fetch all parts again, from one release. {WHERE} If the set is partial on purpose, set things_meg's counts"
        raise participant.unlike(f"{len(epochs):,} epochs in {len(participant.parts)} parts", f"{n_epochs:,}", remedy)
    _require_grid(participant, epochs)
    trials = _attributes(participant) if participant.table else epochs.metadata
    _require_trials(participant, trials, epochs.events[:, 2])
    return epochs, trials.reset_index(drop=True)


def _require_chain(parts: list[Path]) -> None:
    """Raise an InputError unless every part is complete and names the next part. MNE would follow a circle of names forever."""
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        named, expected = _next_part(part), following.name if following else None
        if named != expected:
            found = f"a file that goes on in {named}" if named else "the last file of a recording"
            wanted = f"one that goes on in {expected}" if expected else "the last one"
            remedy = f"keep the released names, and take all parts from one release. {WHERE}"
            raise InputError(part, found, wanted, remedy)


def _next_part(path: Path) -> str | None:
    """Return the name of the file in which a FIF recording continues, or None.

    A FIF file is a chain of tags, and the last tag is marked. The chain is followed to its end without reading the data.
    """
    size = require_real_file(path, WHERE, smallest=1024).stat().st_size
    at, following, name = 0, 0, None
    with path.open("rb") as file:
        while following != _END:
            file.seek(at)
            head = file.read(16)
            if len(head) < 16:
                found = f"{size:,} bytes, although its content goes on to at least byte {at:,}"
                raise InputError(path, found, "a whole FIF file", f"the download was cut short; repeat it. {WHERE}")
            kind, _, length, following = struct.unpack(">iIii", head)
            if (at == 0 and kind != _FILE_ID) or length < 0 or following < _END:
                raise InputError(path, f"no FIF tag at byte {at:,}", "a whole FIF file", f"download it again. {WHERE}")
            if kind == _NEXT_FILE:
                name = file.read(length).decode("latin-1")
            at = following if following > 0 else at + 16 + length
    return name


def _require_grid(participant: Participant, epochs: "mne.Epochs") -> None:
    n_channels, others = len(epochs.ch_names), [name for name in epochs.ch_names if not _is_sensor(name)]
    if others or n_channels != SENSORS:
        found = f"{n_channels} channels, of which {n_channels - len(others)} are MEG sensors"
        found += f" (others: {', '.join(others[:3])})" if others else ""
        raise participant.unlike(found, f"{SENSORS} MEG sensors and nothing else, as the authors released them")
    times, rate = len(epochs.times), epochs.info["sfreq"]
    if times != TIMES or rate != RATE or not np.isclose(epochs.times[0], FIRST_TIME):
        found = f"{times} times from {epochs.times[0]:g} to {epochs.times[-1]:g} s at {rate:g} Hz"
        raise participant.unlike(found, f"{TIMES} times from {FIRST_TIME:g} to 1.3 s at {RATE:g} Hz")


def _is_sensor(name: str) -> bool:
    try:
        return bool(meg_lobe(name))
    except InputError:
        return False


def _attributes(participant: Participant) -> pd.DataFrame:
    numbers, text = ["session_nr", "things_image_nr"], ["trial_type", "image_path"]
    remedy = "It is in sourcedata/ of OpenNeuro ds004212."
    return read_table(participant.attributes, ",", numbers, text, remedy=remedy, gaps=["things_image_nr"])


def _require_trials(participant: Participant, trials: pd.DataFrame | None, codes: np.ndarray) -> None:
    where = participant.attributes if participant.table else participant.parts[0]
    if trials is None:
        remedy = f"fetch sourcedata/{participant.attributes.name} of OpenNeuro ds004212 and set things_meg's `trials: table`"
        raise InputError(where, "epochs without a description of the trials", "metadata, one row per epoch", remedy)
    if missing := [column for column in COLUMNS if column not in trials]:
        found = f"no column {', '.join(missing)} among {', '.join(map(str, trials))}"
        raise InputError(where, found, "the released columns", "download it again")
    if len(trials) != len(codes):
        raise InputError(where, f"{len(trials):,} trials", f"{len(codes):,}, one per epoch", "take both from one release")
    catch = (trials["trial_type"] == "catch").to_numpy()
    number = np.where(catch, CATCH, pd.to_numeric(trials["things_image_nr"], errors="coerce"))
    if wrong := np.flatnonzero(number != codes).tolist():
        first = wrong[0]
        found = f"{len(wrong):,} trials that are not their epoch's, first number {first + 1}: image {number[first]:g}"
        remedy = "take epochs and attributes of one participant, from one release"
        raise InputError(where, f"{found}, but event code {codes[first]}", "the image number as event code of each epoch", remedy)
