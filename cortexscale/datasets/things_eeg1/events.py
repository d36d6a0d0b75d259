"""The events of THINGS-EEG1: the image of every trial, from ``events.tsv`` of release 1.2.0 or of earlier releases."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

_COLUMNS = ("onset", "isteststim", "stim", "sequencenumber", "teststimnumber")
_MOST_SECONDS = 10_000
"""Larger onsets are in samples, because no recording is that long."""


@dataclass(frozen=True)
class Events:
    """Trials in the order of the file.

    Attributes:
        sample: (n,) 0-based sample of each onset.
        stimulus_id: (n,) THINGS id, ``aardvark/aardvark_01b.jpg``.
        test: (n,) whether the image is a test image.
        sequence: (n,) the sequence of the trial. Each test sequence has every test image once.
        seconds: whether onsets are in seconds, as from release 1.2.0 on.
    """

    sample: np.ndarray
    stimulus_id: np.ndarray
    test: np.ndarray
    sequence: np.ndarray
    seconds: bool


def read_events(path: Path, rate: float, n_train: int, n_test: int, n_repetitions: int, remedy: str) -> Events:
    """Read and check the events of one subject.

    Target trials (a change of the fixation's colour) have an image like all others and are kept.

    Args:
        path: the file.
        rate: Hz of the recording.
        n_train: images presented once.
        n_test: test images.
        n_repetitions: presentations of every test image, once per sequence.
        remedy: where the file is released.

    Raises:
        InputError: a column is missing, onsets are in no known unit, images or counts are not those of the release, or
            the subject saw no test images (sub-01 and sub-06).
    """
    table = pd.read_csv(require_real_file(path, remedy), sep="\t")
    if missing := [column for column in _COLUMNS if column not in table and column not in ("isteststim", "teststimnumber")]:
        raise InputError(
            path, f"no column {', '.join(missing)}; there are {', '.join(map(str, table))}", ", ".join(_COLUMNS), remedy
        )
    if "isteststim" not in table or "teststimnumber" not in table or not (table["isteststim"] == 1).any():
        raise InputError(
            path,
            f"{len(table):,} images and no test image among them; the session was not completed",
            f"{n_test} test images, for the noise ceiling",
            "nothing is wrong with the file: leave this subject out of `subjects`",
        )
    sample, seconds = _samples(table, rate, path, remedy)
    test = (table["isteststim"] == 1).to_numpy()
    events = Events(sample, _things_ids(table["stim"], path, remedy), test, table["sequencenumber"].to_numpy(), seconds)
    _require_counts(events, table["teststimnumber"].to_numpy(), (n_train, n_test, n_repetitions), path, remedy)
    return events


def _samples(table: pd.DataFrame, rate: float, path: Path, remedy: str) -> tuple[np.ndarray, bool]:
    """Return 0-based samples, and whether onsets are in seconds.

    The column ``sample``, and ``onset`` before release 1.2.0, count from 1.
    """
    onset = table["onset"].to_numpy(float)
    seconds = onset.max() <= _MOST_SECONDS
    counted_from_1 = onset * rate if seconds else onset
    if "sample" in table:
        sample = table["sample"].to_numpy(float)
        if not seconds or not np.allclose(sample, counted_from_1, rtol=0, atol=0.5):
            found = f"onset {onset[0]:g} beside sample {sample[0]:g}"
            raise InputError(path, found, f"onsets in seconds, sample / {rate:g}", f"take the file of release 1.2.0. {remedy}")
        counted_from_1 = sample
    sample = np.round(counted_from_1).astype(np.int64) - 1
    if not (np.diff(sample) > 0).all():
        raise InputError(path, "onsets that are not in the order of time", "one row after the other", remedy)
    return sample, seconds


def _things_ids(stim: pd.Series, path: Path, remedy: str) -> np.ndarray:
    r"""Return ``aardvark/aardvark_01b.jpg`` for ``stimuli\aardvark\aardvark_01b.jpg``. Other columns are -1 for test images."""
    parts = stim.astype(str).str.replace("\\", "/").str.extract(r"([^/]+)/([^/]+)$")
    concept, file = parts[0], parts[1]
    bad = (concept != file.str.rsplit("_", n=1).str[0]).to_numpy()
    if bad.any():
        found = f"{bad.sum():,} images such as {stim[bad].iloc[0]}"
        raise InputError(path, found, r"THINGS files, stimuli\<concept>\<concept>_<number>.jpg", remedy)
    return (concept + "/" + file).to_numpy().astype(str)


def _require_counts(events: Events, test_number: np.ndarray, expected: tuple[int, int, int], path: Path, remedy: str) -> None:
    n_train, n_test, n_repetitions = expected
    train_ids, test_ids = events.stimulus_id[~events.test], events.stimulus_id[events.test]
    shown = pd.Series(test_ids).value_counts()
    fewest, most = shown.min(), shown.max()
    n_distinct = len(set(train_ids))
    found = (len(train_ids), n_distinct, len(shown), fewest, most)
    if found != (n_train, n_train, n_test, n_repetitions, n_repetitions):
        raise InputError(
            path,
            f"{len(train_ids):,} trials of {n_distinct:,} train images; {len(shown)} test images, {fewest} to {most} times",
            f"{n_train:,} train images once; {n_test} test images, {n_repetitions} times",
            f"{remedy} If the file is partial or simulated on purpose, set n_train, n_test and n_repetitions",
        )
    pairs = pd.DataFrame({"id": test_ids, "number": test_number[events.test], "sequence": events.sequence[events.test]})
    if len(pairs[["id", "number"]].drop_duplicates()) != n_test or pairs.duplicated(["id", "sequence"]).any():
        raise InputError(
            path, "test images that change their number or repeat in a sequence", "each once per test sequence", remedy
        )
