"""Reading of the events of THINGS-EEG1, which give the image of every trial, from releases up to 1.2.0."""

from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.text_tables import column_names, read_table

_MOST_SECONDS = 10_000  # onsets above this are in samples, because no recording is this many seconds long


def read_events(path: Path, rate: float, n_train: int, n_test: int, n_repetitions: int, remedy: str) -> tuple[pd.DataFrame, bool]:
    """Read and check the events of a recording at ``rate`` Hz.

    Target trials are kept, because they also show an image. Subjects who saw no test images (sub-01 and sub-06) raise an
    InputError.

    Returns:
        A table with one row per trial, in the order of the file, and whether onsets are in seconds. From release 1.2.0 on,
        onsets are in seconds. The columns are ``sample`` (counted from 0), ``id`` (``aardvark/aardvark_01b.jpg``), ``test``,
        ``number`` of a test image, and ``sequence``.
    """
    optional = [name for name in ("sample", "isteststim", "teststimnumber") if name in column_names(path, "\t", remedy)]
    table = read_table(path, "\t", ["onset", "sequencenumber", *optional], ["stim"], remedy=remedy)
    if not {"isteststim", "teststimnumber"} <= {*table} or (table["isteststim"] == 0).all():
        found = f"{len(table):,} images and no test image among them; the session was not completed"
        remedy = "nothing is wrong with the file: leave this subject out of `subjects`"
        raise InputError(path, found, f"{n_test} test images, for the noise ceiling", remedy)
    if not (known := table["isteststim"].isin((0, 1))).all():
        found = f"{table.loc[~known, 'isteststim'].iloc[0]:g} in {_line(~known)}, column isteststim"
        raise InputError(path, found, "1 for a test image and 0 for another", remedy)
    sample, seconds = _samples(table, rate, path, remedy)
    events = pd.DataFrame({"sample": sample, "id": _things_ids(table["stim"], path, remedy), "test": table["isteststim"] == 1})
    events["number"], events["sequence"] = table["teststimnumber"], table["sequencenumber"]
    train, test = events[~events["test"]], events[events["test"]]
    shown = test["id"].value_counts()
    found = (len(train), train["id"].nunique(), len(shown), shown.min(), shown.max())
    if found != (n_train, n_train, n_test, n_repetitions, n_repetitions):
        raise InputError(
            path,
            "{:,} trials of {:,} train images; {} test images, {} to {} times".format(*found),
            f"{n_train:,} train images once; {n_test} test images, {n_repetitions} times",
            f"{remedy} If the file is partial or simulated on purpose, set n_train, n_test and n_repetitions",
        )
    once = (pd.crosstab(test["id"], test["sequence"]) == 1).to_numpy()
    if len(test[["id", "number"]].drop_duplicates()) != n_test or once.shape != (n_test, n_repetitions) or not once.all():
        wrong = "test images that change their number or repeat in a sequence"
        raise InputError(path, wrong, f"each once in each of {n_repetitions} test sequences", remedy)
    return events, seconds


def _samples(table: pd.DataFrame, rate: float, path: Path, remedy: str) -> tuple[np.ndarray, bool]:
    """Return samples that count from 0, and whether onsets are in seconds. The file counts samples from 1."""
    onset = table["onset"].to_numpy(float)
    seconds = bool(np.median(onset) <= _MOST_SECONDS)
    counted_from_1 = onset * rate if seconds else onset
    if "sample" in table:
        sample = table["sample"].to_numpy(float)
        differ = np.full(len(onset), True) if not seconds else np.abs(sample - counted_from_1) > 0.5
        if differ.any():
            row = differ.argmax()
            found = f"onset {onset[row]:g} beside sample {sample[row]:g} in {_line(differ)}"
            raise InputError(path, found, f"onsets in seconds, sample / {rate:g}", f"take the file of release 1.2.0. {remedy}")
        counted_from_1 = sample
    later = np.diff(counted_from_1, prepend=0) >= 1
    if not later.all():
        found = f"onsets that are not in the order of time, first in {_line(~later)}"
        raise InputError(path, found, "one row after the other", remedy)
    return np.round(counted_from_1).astype(np.int64) - 1, seconds


def _line(rows: "np.ndarray | pd.Series[bool]") -> str:
    """Return ``line N`` for the line of the file that has the first true row."""
    return f"line {np.asarray(rows).argmax() + 2:,}"


def _things_ids(stim: pd.Series, path: Path, remedy: str) -> np.ndarray:
    r"""Return ``aardvark/aardvark_01b.jpg`` for ``stimuli\aardvark\aardvark_01b.jpg``. Other columns that number the images have
    -1 for test images."""
    parts = stim.str.replace("\\", "/").str.extract(r"([^/]+)/([^/]+)$")
    concept, file = parts[0], parts[1]
    bad = (concept != file.str.rsplit("_", n=1).str[0]).to_numpy()
    if bad.any():
        found = f"{bad.sum():,} images such as {stim[bad].iloc[0]} in {_line(bad)}"
        raise InputError(path, found, r"THINGS files, stimuli\<concept>\<concept>_<number>.jpg", remedy)
    return (concept + "/" + file).to_numpy().astype(str)
