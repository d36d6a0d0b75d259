"""The released files of THINGS-EEG2: their paths, and the samples at which images were presented.

The authors joined the five training parts of a session along time. The authors saved each session as two dictionaries
(``raw_eeg_training.npy``, ``raw_eeg_test.npy``). The last channel, ``stim``, is zero except at one sample per image. The layout
is described in the wikis of osf.io/crxs4 and osf.io/y63gw, and in github.com/gifale95/eeg_encoding.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cortexscale.datasets.formats.safe_npy import load_dict
from cortexscale.datasets.formats.signal import match_channels
from cortexscale.errors import InputError
from cortexscale.listing import folders_in

SplitName = Literal["training", "test"]
SPLITS: tuple[SplitName, ...] = ("training", "test")

SESSIONS = 4  # number of sessions of every subject
RATE = 1000  # sampling rate of both forms of the raw data, in Hz
TARGET = 99999  # condition of the images of Buzz Lightyear, which the subjects counted

_PLACES = {"npy": ("", "raw_data", "eeg_dataset/raw_data"), "brainvision": ("", "source_data", "eeg_dataset/source_data")}
"""Form of the raw data -> where the folders of the subjects may be: the root, or a folder of the authors' project."""
_ARCHIVES = {"npy": "the raw data (osf.io/crxs4, Figshare+ 18470912)", "brainvision": "the source data (osf.io/3jk45)"}


@dataclass(frozen=True)
class Part:
    """One continuous recording."""

    path: Path
    n_samples: int
    onsets: np.ndarray  # (n,) sample of every presentation, counted from 0, ascending
    conditions: np.ndarray  # (n,) number of the image within the split, counted from 1, or TARGET
    segment: Callable[[int, int], np.ndarray]  # segment(first, stop) reads float64 (channels, stop - first) in V


@dataclass(frozen=True)
class Release:
    """Paths of the files of one subject below ``root``. ``source`` is the form of the raw data."""

    root: Path
    subject: str
    source: Literal["npy", "brainvision"]

    @property
    def folder(self) -> Path:
        """Folder of the sessions. An unpacked archive may be inside another folder of the same name."""
        single = [self.root / place / self.subject for place in _PLACES[self.source]]
        found = (folder for one in single for folder in (one, one / self.subject) if _has_sessions(folder))
        return next(found, single[0])

    @property
    def image_metadata(self) -> Path:
        places = [self.root / place / "image_metadata.npy" for place in ("", "image_set")]
        return next((place for place in places if place.is_file()), places[0])

    def session(self, number: int) -> Path:
        return self.folder / f"ses-{number:02d}"

    def dictionary(self, session: int, split: SplitName) -> Path:
        return self.session(session) / f"raw_eeg_{split}.npy"

    def remedy(self, path: Path) -> str:
        """Say how to get ``path`` again."""
        if path == self.image_metadata:
            return "It is image_metadata.npy of the image set, osf.io/y63gw."
        archive = self.root / f"{self.subject}.zip"
        if archive.is_file():
            return f"Unpack {archive.name}, which is still packed. If it is damaged, fetch it again."
        return f"It is in {archive.name} of {_ARCHIVES[self.source]}; unpack that below {self.root}."

    def sessions(self, expected: int) -> list[int]:
        """Return the numbers of the first ``expected`` sessions that exist. If fewer exist, return 1 ... ``expected``."""
        present = [number for number in range(1, SESSIONS + 1) if os.path.lexists(self.session(number))]
        return present[:expected] if len(present) >= expected else list(range(1, expected + 1))

    def require_sessions(self, numbers: list[int]) -> None:
        """Raise an InputError that names the missing sessions, if there are any."""
        if missing := [number for number in numbers if not os.path.lexists(self.session(number))]:
            names, present = ", ".join(self.session(number).name for number in missing), len(numbers) - len(missing)
            found = f"{present} of {len(numbers)} sessions of {self.subject}; missing {names}"
            fewer = f" To use the {present} that are there, set things_eeg2's `n_sessions: {present}`." if present else ""
            remedy = self.remedy(self.session(missing[0])) + fewer
            raise InputError(self.folder, found, f"{len(numbers)} sessions (`n_sessions`)", remedy)


def _has_sessions(folder: Path) -> bool:
    return any(inside.name.startswith("ses-") for inside in folders_in(folder))


def stimulus_ids(release: Release, split: SplitName, expected: int) -> np.ndarray:
    """Return the THINGS ids (expected,) of the images of a split, in the order of their conditions 1, 2, 3 ...

    An example of an id is ``aardvark/aardvark_01b.jpg``.
    """
    path, prefix = release.image_metadata, "train" if split == "training" else split
    remedy = release.remedy(path)
    keys = (f"{prefix}_img_files", f"{prefix}_img_concepts")
    metadata = load_dict(path, remedy)
    _require_keys(path, metadata, keys, remedy)
    files, folders = (_texts(path, metadata, key, remedy) for key in keys)
    if len(files) != expected or len(folders) != expected:
        found = f"{len(files):,} {keys[0]} and {len(folders):,} {keys[1]}"
        remedy = f"{remedy} If the set is simulated on purpose, set things_eeg2's counts"
        raise InputError(path, found, f"{expected:,} each", remedy)
    concepts = [file.rsplit("_", 1)[0] for file in files]
    for file, folder, concept in zip(files, folders, concepts, strict=True):
        if folder.split("_", 1)[-1] != concept:
            raise InputError(path, f"{file} in folder {folder}", f"a folder <number>_{concept}", remedy)
    return np.array([f"{concept}/{file}" for concept, file in zip(concepts, files, strict=True)])


def open_dictionary(release: Release, session: int, split: SplitName, channels: Sequence[str], volts: float) -> Part:
    """Open the joined training or test part of one session. Only the channel ``stim`` is read.

    Segments have the ``channels``. One unit of the file is ``volts`` V.
    """
    path = release.dictionary(session, split)
    remedy = release.remedy(path)
    names, data = _names_and_data(path, channels, remedy)
    stored = match_channels(path, [*channels, "stim"], names, remedy)
    rows, n_samples = [names.index(stored[channel]) for channel in channels], data.shape[1]
    triggers = np.array(data[-1])
    del data  # pages of an open memory map would count as memory of this process

    def segment(first: int, stop: int) -> np.ndarray:
        values = np.asarray(load_dict(path, remedy)["raw_eeg_data"][rows, first:stop], dtype=np.float64)
        values *= volts
        return values

    onsets = np.flatnonzero(triggers)
    conditions = triggers[onsets]
    if (conditions != np.round(conditions)).any() or (conditions < 0).any() or (np.diff(onsets) == 1).any():
        expected = "one sample per image with its number, a positive integer, and 0 elsewhere"
        raise InputError(path, "a `stim` channel with other values, or with triggers longer than a sample", expected, remedy)
    return Part(path, n_samples, onsets, conditions.astype(np.int64), segment)


def _names_and_data(path: Path, channels: Sequence[str], remedy: str) -> tuple[list[str], np.ndarray]:
    """Return the channel names and the data of a dictionary, after checking that its entries match."""
    content = load_dict(path, remedy)
    types_key = "ch_type" if "ch_type" in content else "ch_types"  # the names in the wiki and in the authors' code
    _require_keys(path, content, ("raw_eeg_data", "ch_names", types_key, "sfreq"), remedy)
    names, types, data = (
        _texts(path, content, "ch_names", remedy),
        _texts(path, content, types_key, remedy),
        content["raw_eeg_data"],
    )
    if np.ndim(content["sfreq"]) or content["sfreq"] != RATE:
        raise InputError(path, f"sfreq {content['sfreq']}", f"{RATE} Hz, the raw data", remedy)
    if not isinstance(data, np.ndarray) or data.ndim != 2 or len(data) != len(names) or data.dtype.kind != "f":
        of = f"shape {data.shape} and type {data.dtype}" if isinstance(data, np.ndarray) else f"type {type(data).__name__}"
        found = f"raw_eeg_data of {of}"
        raise InputError(path, found, f"floating-point numbers of shape ({len(names)}, samples), a row per channel", remedy)
    stored = match_channels(path, [*channels, "stim"], names, remedy)
    absent = [channel for channel in (*channels, "stim") if channel not in stored]
    if absent or names[-1] != stored["stim"] or types != [*["eeg"] * (len(names) - 1), "stim"]:
        found = f"no channel {', '.join(absent)}" if absent else f"channels of other types: {', '.join(map(str, types[-3:]))}"
        raise InputError(path, found, f"{len(channels)} channels of type eeg, then `stim`", remedy)
    return names, data


def _require_keys(path: Path, content: dict[str, Any], keys: Sequence[str], remedy: str) -> None:
    if absent := [key for key in keys if key not in content]:
        raise InputError(path, f"a dictionary of {', '.join(map(str, content))}", f"also {', '.join(absent)}", remedy)


def _texts(path: Path, content: dict[str, Any], key: str, remedy: str) -> list[str]:
    """Return the texts of a list, or of an array of one dimension."""
    values = content[key].tolist() if isinstance(content[key], np.ndarray) else content[key]
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise InputError(path, f"{key} of type {type(content[key]).__name__}, or not of texts", "a list of texts", remedy)
    return [str(value) for value in values]
