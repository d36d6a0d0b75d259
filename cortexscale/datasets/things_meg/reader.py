"""THINGS-MEG: magnetoencephalography of four people who saw the THINGS images (Hebart et al. 2023, eLife 12:e82580).

The reader uses the epochs that the authors released, with 271 gradiometers, 0.1-40 Hz, a rate of 200 Hz, and -0.1 to 1.3 s from
stimulus onset. The unit of each epoch and sensor is the standard deviation of its own baseline, not tesla. Epochs are resampled
to 100 Hz and cropped to 0 ... 1.29 s (paper, appendix A.5). Main images were presented once, and test images once in each
session.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt

from cortexscale.datasets.formats import meeg
from cortexscale.datasets.formats.signal import MOST_STILL
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.things_meg.files import SENSORS, TIMES, WHERE, Participant, locate, open_participant
from cortexscale.errors import InputError
from cortexscale.recording import Recording, Split

if TYPE_CHECKING:
    import mne

log = logging.getLogger(__name__)

SUBJECTS = ("P1", "P2", "P3", "P4")
"""Names of subjects in the released files. In the raw recordings, their names are BIGMEG1 to BIGMEG4."""
ROIS = meeg.ROIS
SOURCE = all_facts()["things_meg"].source

N_TIMES = 130
_TARGET_RATE = 100.0
_MOST = 1e6  # limit that no response reaches, in standard deviations of the baseline
_BLOCK = 500  # number of epochs that are loaded at a time; they take 305 MB in float64


class Options(BaseModel, extra="forbid"):
    """Options of THINGS-MEG. Defaults are those of the paper, and default counts are those of the release."""

    min_nc_percent: float = Field(
        1, ge=0, lt=100, description="Keep units whose noise ceiling is above this value, in percent of variance."
    )
    n_train: PositiveInt = Field(22_248, description="Number of main images. Each is presented once.")
    n_test: int = Field(200, ge=2, description="Number of test images. Each is presented once in every session.")
    n_sessions: int = Field(
        12, ge=2, description="Number of sessions, which is also the number of repetitions of every test image."
    )
    n_catch: NonNegativeInt = Field(2_400, description="Number of catch trials. The reader drops them.")
    n_parts: PositiveInt = Field(4, description="Number of files over which the epochs of a subject are split.")
    trials: Literal["epochs", "table"] = Field(
        "epochs",
        description="Where the description of trials is read from. `epochs` is the metadata of the epochs. `table` is "
        "sample_attributes_*.csv, for copies whose epochs have lost their metadata.",
    )


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the released files that :func:`read` opens for ``subject``. They need not exist."""
    return _participant(root, subject, options).files


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check the chain of files, the grid, and the image of every trial, but not the responses."""
    _open(root, subject, options)


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB.

    It is the memory of libraries, responses, test trials, and a block of epochs or the memory of the final check.
    """
    units = SENSORS * N_TIMES
    held = 4 * units * (options.n_train + options.n_test * (options.n_sessions + 2))
    resampling = 8 * _BLOCK * SENSORS * (TIMES + 2 * N_TIMES)
    checking = 2 * units * options.n_train  # masks for the final check that all responses are finite
    return int(np.ceil((held + max(resampling, checking)) / 1e6)) + 350


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training stimuli, of test stimuli, and of units of all subjects. All subjects saw the same images."""
    return options.n_train, options.n_test, SENSORS * N_TIMES * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one subject. Training rows are in the order of presentation, and test rows are ordered by id.

    Noise ceilings are computed as the authors do. Test trials are z-scored over the images of a session, and the noise variance
    is the variance over sessions. The average response to a test image has one trial per session.
    """
    epochs, trials = _open(root, subject, options)
    is_train, is_test = trials["split"] == "train", trials["split"] == "test"
    train_ids = trials.loc[is_train, "stimulus"].to_numpy().astype(str)
    test_ids, image = np.unique(trials.loc[is_test, "stimulus"].to_numpy().astype(str), return_inverse=True)

    file, warnings = raw_files(root, subject, options)[0], list[str]()
    test_trials = _responses(epochs, np.flatnonzero(is_test), file, warnings)
    session = trials.loc[is_test, "session_nr"].to_numpy()
    ncsnr, permuted = (of(test_trials, image, session, zscore=True) for of in (meeg.trial_ncsnr, meeg.permuted_ncsnr))
    test = Split(test_ids, *meeg.average_trials([(image, test_trials)], len(test_ids), test_trials.shape[1:]))
    del test_trials
    train = Split(train_ids, _responses(epochs, np.flatnonzero(is_train), file, warnings), np.ones(len(train_ids), dtype=int))
    lobes, times = {sensor: meeg.meg_lobe(sensor) for sensor in epochs.ch_names}, np.arange(N_TIMES) / _TARGET_RATE
    notes = {"sessions": options.n_sessions, "catch_trials_dropped": options.n_catch, "warnings": warnings}
    splits = train, test
    return meeg.build_recording("things_meg", subject, *splits, lobes, times, ncsnr, options.min_nc_percent, notes, permuted)


def stimulus_id(image_path: str) -> str:
    """Return the THINGS id ``bat/bat_01b.jpg`` for ``images_meg/bat/bat_01b.jpg`` or ``images_test_meg/bat_01b.jpg``."""
    file = image_path.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{file.rsplit('_', 1)[0]}/{file}"


def _participant(root: Path, subject: str, options: Options) -> Participant:
    require_known([subject], SUBJECTS, "subjects of THINGS-MEG, whose raw recordings call them BIGMEG1 to BIGMEG4")
    return locate(root, subject, options.n_parts, table=options.trials == "table")


def _open(root: Path, subject: str, options: Options) -> "tuple[mne.Epochs, pd.DataFrame]":
    """Open the epochs. Return the epochs, and a table of their splits (``train``, ``test``, ``catch``), sessions and stimuli."""
    participant = _participant(root, subject, options)
    n_test = options.n_test * options.n_sessions
    epochs, released = open_participant(participant, options.n_train + n_test + options.n_catch)
    trials = pd.DataFrame(
        {
            "split": released["trial_type"].replace("exp", "train"),
            "session_nr": released["session_nr"],
            "stimulus": released["image_path"].astype(str).map(stimulus_id),
        }
    )
    _require_design(participant, trials, options)
    return epochs, trials


def _require_design(participant: Participant, trials: pd.DataFrame, options: Options) -> None:
    """Raise an InputError unless every main image is presented once and every test image once in each session."""
    found = tuple(int((trials["split"] == split).sum()) for split in ("train", "test", "catch"))
    expected = options.n_train, options.n_test * options.n_sessions, options.n_catch
    if found != expected:
        counts = "{:,} exp, {:,} test and {:,} catch trials"
        remedy = "if the set is partial or simulated on purpose, set things_meg's counts"
        raise participant.unlike(counts.format(*found), counts.format(*expected), remedy)
    train, test = (trials[trials["split"] == split] for split in ("train", "test"))
    if train["stimulus"].duplicated().any():
        again = train.loc[train["stimulus"].duplicated(), "stimulus"].iloc[0]
        raise participant.unlike(f"the main image {again} in several trials", "every main image once")
    shown = pd.crosstab(test["stimulus"], test["session_nr"])
    if shown.shape != (options.n_test, options.n_sessions) or (shown != 1).any(axis=None):
        times = f"{shown.to_numpy().min()} to {shown.to_numpy().max()} times in a session"
        raise participant.unlike(
            f"{shown.shape[0]} test images in {shown.shape[1]} sessions, shown {times}",
            f"{options.n_test} test images, once in each of {options.n_sessions} sessions",
        )


def _responses(epochs: "mne.Epochs", rows: np.ndarray, file: Path, warnings: list[str]) -> np.ndarray:
    """Load epochs in blocks. Return float32 responses (rows, sensors, N_TIMES) at 100 Hz from 0 s.

    Sensors that do not change in some epochs are added to ``warnings``; ``file`` is the first of the epoch files.
    """
    import mne

    responses, still = np.empty((len(rows), len(epochs.ch_names), N_TIMES), np.float32), np.zeros(len(epochs.ch_names), int)
    for first in range(0, len(rows), _BLOCK):
        with mne.use_log_level("ERROR"):
            part = epochs[rows[first : first + _BLOCK]].load_data()
            recorded = part.get_data(copy=False)
            _require_responses(recorded, rows[first:], epochs, file)
            still += (recorded == recorded[:, :, :1]).all(axis=2).sum(axis=0)
            block = part.resample(_TARGET_RATE).crop(0, None).get_data(copy=False)
        responses[first : first + len(block)] = block
    for sensor in np.flatnonzero(still):
        text = f"sensor {epochs.ch_names[sensor]} does not change in {still[sensor]:,} of {len(rows):,} epochs"
        if still[sensor] > MOST_STILL * len(rows):
            raise InputError(file, text, f"at most {MOST_STILL:.0%}", f"download the epochs again. {WHERE}")
        warnings.append(f"{file}: {text}")
        log.warning(warnings[-1])
    return responses


def _require_responses(recorded: np.ndarray, rows: np.ndarray, epochs: "mne.Epochs", file: Path) -> None:
    """Raise an InputError that names epoch, sensor and time unless all responses are finite and possible."""
    empty = ~recorded.any(axis=(1, 2))
    wrong = ~((recorded > -_MOST) & (recorded < _MOST))  # True for nan
    wrong[empty] = True
    if wrong.any():
        epoch = int(wrong.any(axis=(1, 2)).argmax())
        sensor = int(wrong[epoch].any(axis=1).argmax())
        times = epochs.times[wrong[epoch, sensor]]
        found = f"epoch {rows[epoch] + 1:,} of all parts is empty, not finite or beyond {_MOST:g} standard deviations "
        found += f"(sensor {epochs.ch_names[sensor]}, {times[0]:g} to {times[-1]:g} s)"
        raise InputError(file, found, "responses in standard deviations of their baseline", f"download the epochs again. {WHERE}")
