"""A simulation of THINGS-MEG in the layout of its released epochs.

An epoch is the evoked response to an image plus noise of up to 40 Hz. Response and noise are divided by the standard deviation
of the sensor's baseline in this epoch. An epoch with a quiet baseline is therefore larger than others. As in the release, this is
part of the noise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from cortexscale.datasets.formats.meeg import build_recording, meg_lobe
from cortexscale.datasets.things_meg.files import CATCH, FIRST_TIME, RATE, TIMES
from cortexscale.datasets.things_meg.reader import N_TIMES
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling
from cortexscale.simulation.meeg import evoked, true_ceiling
from cortexscale.simulation.visual_system import World

if TYPE_CHECKING:
    import mne

SESSIONS, RUNS, PARTS = 12, 10, 4
EXEMPLARS = 12  # number of images of a concept in the main experiment, one per session; the next image may be a test image

_ABSENT = {"MLF25", "MRF43", "MRO13", "MRO11"}  # the device lacks three of these sensors, and the authors dropped the fourth

_COLUMNS = [
    *("trial_type", "image_nr", "category_nr", "exemplar_nr", "test_image_nr"),
    *("things_category_nr", "things_image_nr", "things_exemplar_nr", "image_path", "onset", "image_on", "image_off"),
    *("responded", "key_id", "key_time", "RT", "session_nr", "run_nr"),
]
_SOA = 1.5  # s

_BASELINE = slice(0, 1 - round(FIRST_TIME * RATE))
_AT_100_HZ = slice(_BASELINE.stop - 1, TIMES - 1, 2)
"""Samples of an epoch that are also on the grid of the reader, at 0, 10 ... 1290 ms."""


@dataclass(frozen=True)
class Noise:
    """Noise of epochs that were divided by the standard deviation of their baseline."""

    gain: float  # mean of the factor by which an epoch of a sensor was multiplied
    spread: float  # variance of this factor
    variance: np.ndarray  # (TIMES,) variance of the noise after the division


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment. Sensors, times, sessions and parts are those of the release."""

    concepts: PositiveInt = Field(
        20, description="Number of concepts of the main experiment. Each has twelve images, and every image is presented once."
    )
    test_images: int = Field(
        20,
        ge=2,
        description="Number of test images. Each shows a different concept and is presented once in each of the twelve sessions.",
    )
    catch_per_session: PositiveInt = Field(1, description="Number of trials per session without a THINGS image.")
    amplitude: tuple[PositiveFloat, PositiveFloat] = Field(
        (1.2, 2.4),
        description="Standard deviation of a wave at its peak, divided by that of the noise of one trial: smallest and "
        "largest value over sensors.",
    )


def sensor_names() -> list[str]:
    """Return the names of the 271 sensors of the released epochs."""
    import mne

    device = [name.split("-")[0] for name in mne.channels.read_layout("CTF-275").names]
    return [f"{name}-1609" for name in device if name not in _ABSENT]


def trial_table(things_ids: np.ndarray, settings: Settings, seed: int) -> pd.DataFrame:
    """Draw the trials of one subject. The table has one row per trial in chronological order, and the released columns.

    Every session has one new exemplar of each concept, all test images and some catch trials, in random order. Ids, numbers and
    ranks count from 1. ``things_ids`` has all images of the image folder, in byte order.
    """
    rng = np.random.default_rng(seed)
    images = pd.DataFrame({"id": things_ids, "things_image_nr": np.arange(1, len(things_ids) + 1)})
    images["concept"] = images["id"].str.split("/").str[0]
    images["things_category_nr"] = images["concept"].rank(method="dense").astype(int)
    images["things_exemplar_nr"] = images.groupby("concept").cumcount() + 1
    chosen = rng.choice(images["things_category_nr"].unique(), settings.concepts, replace=False)
    main = images[images["things_category_nr"].isin(chosen) & (images["things_exemplar_nr"] <= EXEMPLARS)]
    main = main.assign(trial_type="exp", image_path="images_meg/" + main["id"])
    main["category_nr"], main["exemplar_nr"] = main["things_category_nr"], main["things_exemplar_nr"]
    test = images[images["things_exemplar_nr"] == EXEMPLARS + 1]
    chosen = rng.choice(test["things_category_nr"].unique(), settings.test_images, replace=False)
    test = test[test["things_category_nr"].isin(chosen)]
    test = test.assign(trial_type="test", image_path="images_test_meg/" + test["id"].str.split("/").str[1])
    test["test_image_nr"] = np.arange(1, len(test) + 1)
    files = [f"images_catch_meg/catch{number:03d}.jpg" for number in range(1, settings.catch_per_session + 1)]
    catch = pd.DataFrame({"trial_type": "catch", "image_path": files, "responded": 1.0, "key_id": 1.0, "RT": 0.5})

    sessions = []
    for number in range(1, SESSIONS + 1):
        shown = pd.concat([main[main["exemplar_nr"] == number], test, catch], ignore_index=True)
        shown = shown.sample(frac=1, random_state=rng).assign(session_nr=number)
        shown["run_nr"] = 1 + np.arange(len(shown)) * RUNS // len(shown)
        shown["onset"] = shown.groupby("run_nr").cumcount() * _SOA
        sessions.append(shown)
    trials = pd.concat(sessions, ignore_index=True)
    trials["image_nr"] = np.arange(1, len(trials) + 1)
    trials["image_on"], trials["image_off"] = trials["onset"], trials["onset"] + 0.5
    trials["key_time"] = trials["onset"] + trials["RT"]
    return trials.reindex(columns=_COLUMNS)


def write_things_meg(root: Path, subject: str, trials: pd.DataFrame, epochs: np.ndarray, *, metadata: bool = True) -> None:
    """Write the four parts of ``preprocessed_<subject>-epo.fif`` and ``sample_attributes_<subject>.csv``.

    ``epochs`` are float64 (trials, 271, 281). With ``metadata``, the epoch files also have the table of trials, as in the
    release.
    """
    import mne

    folder = Path(root) / "derivatives/preprocessed"
    folder.mkdir(parents=True, exist_ok=True)
    codes = trials["things_image_nr"].fillna(CATCH).astype(int).to_numpy()
    samples = (np.arange(len(trials)) * _SOA * RATE).astype(int)
    data = mne.EpochsArray(
        epochs,
        mne.create_info(sensor_names(), RATE, "mag"),
        np.column_stack([samples, np.zeros_like(codes), codes]),
        tmin=FIRST_TIME,
        event_id={str(code): code for code in np.unique(codes).tolist()},
        metadata=trials if metadata else None,
        verbose="ERROR",
    )
    save_in_parts(data, folder / f"preprocessed_{subject}-epo.fif")
    attributes = Path(root) / "sourcedata" / f"sample_attributes_{subject}.csv"
    attributes.parent.mkdir(parents=True, exist_ok=True)
    trials.to_csv(attributes, index=False)


def save_in_parts(epochs: "mne.Epochs", first: Path) -> None:
    """Save loaded epochs as a chain of four files.

    MNE reserves 1.3 MB in each part for content that is the same in all parts.
    """
    size = int(4 * epochs.get_data(copy=False).size / (PARTS - 0.5)) + 1_300_000
    epochs.save(first, split_size=size, overwrite=True, verbose="ERROR")


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the files of all subjects, and yield the truth of each subject: noise-free responses, and true noise ceilings above
    1 %.

    True noise ceilings follow from the variances of signal and noise. The variance of the noise is measured on all epochs and
    sensors of the subject (about 1e5 draws).
    """
    times = np.round(FIRST_TIME + np.arange(TIMES) / RATE, 6)
    lobes = [meg_lobe(name) for name in sensor_names()]
    for number, subject in enumerate(subjects):
        own = seed + 100 * number
        trials = trial_table(world.things_ids, settings, own)
        seen = np.unique(_rows(trials))
        latents = {area: values[seen] for area, values in world.things_latents.items()}
        signal = evoked(world.brain, latents, lobes, times, seed=own)
        signal *= np.random.default_rng(own + 1).uniform(*settings.amplitude, len(lobes)).astype(np.float32)[:, None]
        shown = pd.Index(seen + 1).get_indexer(trials["things_image_nr"])  # -1 for a catch trial
        epochs, noise = single_trials(signal, shown, seed=own + 2)
        write_things_meg(root, subject, trials, epochs)
        del epochs
        yield subject, _truth(subject, world.things_ids, trials, seen, signal[:, :, _AT_100_HZ], noise)


def single_trials(signal: np.ndarray, shown: np.ndarray, seed: int) -> tuple[np.ndarray, Noise]:
    """Return float64 epochs (trials, sensors, TIMES) in units of their baseline, and their noise.

    ``signal`` (images, sensors, TIMES) is in standard deviations of the noise, and 0 before 0 s. ``shown`` has the row of
    ``signal`` for each trial, or -1 for no image.
    """
    rng = np.random.default_rng(seed)
    hertz = np.arange(0.625, 40, 0.625)
    phase = 2 * np.pi * hertz[:, None] * np.arange(TIMES) / RATE
    waves = (np.concatenate([np.cos(phase), np.sin(phase)]) / np.sqrt(len(hertz))).astype(np.float32)
    epochs = np.empty((len(shown), *signal.shape[1:]))
    factors, variance = np.empty(epochs.shape[:2]), np.zeros(TIMES)
    for trial, image in enumerate(shown):
        noise = rng.standard_normal((signal.shape[1], len(waves)), dtype=np.float32) @ waves
        noise -= noise[:, _BASELINE].mean(axis=1, keepdims=True)
        factors[trial] = 1 / noise[:, _BASELINE].std(axis=1)
        epoch = noise if image < 0 else noise + signal[image]
        epochs[trial] = epoch * factors[trial][:, None]
        variance += np.square(noise * factors[trial][:, None]).mean(axis=0)
    return epochs, Noise(factors.mean(), factors.var(), variance / len(shown))


def _rows(trials: pd.DataFrame) -> np.ndarray:
    """Return the row in the image folder for every trial that has an image."""
    return trials["things_image_nr"].dropna().astype(int).to_numpy() - 1


def _truth(
    subject: str, things_ids: np.ndarray, trials: pd.DataFrame, seen: np.ndarray, signal: np.ndarray, noise: Noise
) -> Recording:
    train_rows = _rows(trials[trials["trial_type"] == "exp"])
    test_rows = np.unique(_rows(trials[trials["trial_type"] == "test"]))  # sorted by id, like the image folder
    train, test = (signal[pd.Index(seen).get_indexer(rows)] for rows in (train_rows, test_rows))
    # The factor of an epoch also multiplies its signal. The mean of the factor is a gain, and its variance is noise.
    trial_noise = noise.variance[_AT_100_HZ] + noise.spread * np.square(test).mean(axis=0)
    ceiling = true_ceiling(noise.gain * test, trial_noise, SESSIONS)
    splits = (
        Split(things_ids[train_rows], noise.gain * train, np.ones(len(train_rows), dtype=int)),
        Split(things_ids[test_rows], noise.gain * test, np.full(len(test_rows), SESSIONS)),
    )
    lobes, times = {name: meg_lobe(name) for name in sensor_names()}, np.arange(N_TIMES) / 100
    return build_recording("things_meg", subject, *splits, lobes, times, ncsnr_of_ceiling(ceiling, SESSIONS))
