"""A simulation of THINGS-EEG2, with the images that subjects see, the recordings, and the true responses.

Images follow each other so fast that responses overlap. Responses to neighbouring images are therefore noise. A session records
its training images in several parts, which the dictionaries join without a gap.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt

from cortexscale.datasets.formats.meeg import MICROVOLT, build_recording, eeg_lobe
from cortexscale.datasets.things_eeg2.files import RATE as RECORDED_RATE
from cortexscale.datasets.things_eeg2.files import SESSIONS, TARGET, Part, SplitName
from cortexscale.datasets.things_eeg2.reader import CHANNELS, Options
from cortexscale.datasets.things_eeg2.simulated_files import EXEMPLARS, write_dictionary, write_image_metadata, write_source
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling
from cortexscale.simulation.brainvision import RESOLUTION
from cortexscale.simulation.meeg import RATE, continuous, evoked, interpolate, trial_noise, true_ceiling
from cortexscale.simulation.visual_system import World

_FACTOR = RECORDED_RATE // RATE
_BEFORE, _AFTER = 25, 85  # number of grid samples before and after the images of a part, so that no epoch crosses a joint
_BASELINE = 21  # number of grid samples from -0.2 to 0 s
_NOISE = 5.0  # in microvolts, standard deviation on the grid
_LOBES = {name: eeg_lobe(name) for name in CHANNELS}


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment. Channels, sessions and exemplars of a concept are those of the release."""

    concepts: int = Field(
        34,
        ge=2,
        multiple_of=2,
        description="Number of training concepts. It must be even, because a session has half of the concepts.",
    )
    test_images: int = Field(
        26, ge=2, le=200, description="Number of test images. Each shows a concept that is not a training concept."
    )
    train_repetitions: PositiveInt = Field(
        1, description="Planned number of presentations of a training image in a session that presents it."
    )
    test_repetitions: PositiveInt = Field(4, description="Planned number of presentations of a test image in a session.")
    train_extra: NonNegativeInt = Field(4, description="Number of training images that a session presents one extra time.")
    test_extra: NonNegativeInt = Field(3, description="Number of test images that a session presents one extra time.")
    train_targets: NonNegativeInt = Field(
        3,
        description="Number of targets among the training images of a session. A target evokes the response to an image of "
        "the same split.",
    )
    test_targets: NonNegativeInt = Field(2, description="Number of targets among the test images of a session.")
    parts: PositiveInt = Field(5, description="Number of recordings over which the training images of a session are spread.")
    soa: PositiveFloat = Field(
        0.1, description="Time between the onsets of two images, in s. It is a multiple of 0.01, and 0.2 in the release."
    )
    amplitude: tuple[PositiveFloat, PositiveFloat] = Field(
        (2.5, 4),
        description="Standard deviation of a wave at its peak, divided by that of the noise of one trial: smallest and "
        "largest value over channels.",
    )
    sources: tuple[Literal["npy", "brainvision"], ...] = Field(("npy",), description="Formats in which the raw data are written.")


def choose_images(things_ids: np.ndarray, settings: Settings, seed: int) -> dict[SplitName, np.ndarray]:
    """Choose the images that all subjects see.

    For each split, return their rows in the image folder, in the order of the conditions.
    """
    concepts = pd.Series(things_ids).str.split("/").str[0]
    chosen = np.random.default_rng(seed).choice(concepts.unique(), settings.concepts + settings.test_images, replace=False)
    exemplar = concepts.groupby(concepts).cumcount().to_numpy()
    training = concepts.isin(chosen[: settings.concepts]).to_numpy() & (exemplar < EXEMPLARS)
    test = concepts.isin(chosen[settings.concepts :]).to_numpy() & (exemplar == EXEMPLARS)
    return {"training": np.flatnonzero(training), "test": np.flatnonzero(test)}


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the files of all subjects, and yield the truth of each subject: noise-free responses, and true noise ceilings above
    1 %.

    True noise ceilings are exact in expectation. Noise includes the responses to the previous and next images.
    """
    rows = choose_images(world.things_ids, settings, seed)
    ids = {split: world.things_ids[own] for split, own in rows.items()}
    write_image_metadata(Path(root), world.things_ids, ids)
    times = np.round(np.arange(80) / RATE, 6)
    for number, subject in enumerate(subjects):
        own = seed + 100 * number
        rng = np.random.default_rng(own)
        gain = rng.uniform(*settings.amplitude, len(CHANNELS)).astype(np.float32)[:, None]
        latents = {area: values[np.concatenate(list(rows.values()))] for area, values in world.things_latents.items()}
        signal = gain * evoked(world.brain, latents, list(_LOBES.values()), times, seed=own)
        signals = dict(zip(rows, np.split(signal, [len(rows["training"])]), strict=True))
        for session, shown in enumerate(_sessions(settings, rng), start=1):
            for split, parts in shown.items():
                recorded = [_record(signals[split], conditions, settings, rng) for conditions in parts]
                if "npy" in settings.sources:
                    write_dictionary(Path(root), subject, session, split, recorded)
                if "brainvision" in settings.sources:
                    write_source(Path(root), subject, session, split, recorded)
        yield subject, _truth(subject, ids, signals, settings)


def _sessions(settings: Settings, rng: np.random.Generator) -> Iterator[dict[SplitName, list[np.ndarray]]]:
    """Yield the conditions of the parts of every session.

    Sessions 1 and 2 split the concepts into two halves, and sessions 3 and 4 into two other halves.
    """
    test = np.arange(1, settings.test_images + 1)
    for _ in range(SESSIONS // 2):
        for half in np.split(rng.permutation(settings.concepts), 2):
            training = (EXEMPLARS * half[:, None] + np.arange(1, EXEMPLARS + 1)).ravel()
            train_order = _order(training, settings.train_repetitions, settings.train_extra, settings.train_targets, rng)
            test_order = _order(test, settings.test_repetitions, settings.test_extra, settings.test_targets, rng)
            yield {"training": np.array_split(train_order, settings.parts), "test": [test_order]}


def _order(images: np.ndarray, repetitions: int, extra: int, targets: int, rng: np.random.Generator) -> np.ndarray:
    more = rng.choice(images, extra, replace=False)
    return rng.permutation(np.concatenate([np.repeat(images, repetitions), more, np.full(targets, TARGET)]))


def _record(signal: np.ndarray, conditions: np.ndarray, settings: Settings, rng: np.random.Generator) -> Part:
    """Record one part, in volts with the precision of a BrainVision file."""
    onsets = _BEFORE + round(settings.soa * RATE) * np.arange(len(conditions))
    n_samples = int(onsets[-1]) + _AFTER
    images = np.where(conditions == TARGET, rng.integers(len(signal), size=len(conditions)), conditions - 1)
    recording = continuous(signal, images, onsets, n_samples)
    recording += rng.standard_normal(recording.shape, dtype=np.float32)
    stored = (interpolate(recording, _FACTOR) * (_NOISE / RESOLUTION)).astype(np.float32)
    volts = stored.astype(np.float64) * (RESOLUTION * MICROVOLT)
    return Part(Path(), volts.shape[1], onsets * _FACTOR, conditions, lambda first, stop: volts[:, first:stop])


def _truth(subject: str, ids: dict[SplitName, np.ndarray], signals: dict[SplitName, np.ndarray], settings: Settings) -> Recording:
    repetitions, times = SESSIONS * settings.test_repetitions, Options().times(RECORDED_RATE)
    soa, length = round(settings.soa * RATE), settings.test_images * settings.test_repetitions
    length += settings.test_extra + settings.test_targets
    noise = trial_noise(signals["test"], 1.0, soa=soa, length=length, baseline=_BASELINE)
    train, test = (_NOISE * signals[split] for split in ("training", "test"))
    ceiling = true_ceiling(signals["test"], noise, repetitions)
    splits = (
        Split(ids["training"], train, np.full(len(train), SESSIONS // 2 * settings.train_repetitions)),
        Split(ids["test"], test, np.full(len(test), repetitions)),
    )
    return build_recording("things_eeg2", subject, *splits, _LOBES, times, ncsnr_of_ceiling(ceiling, repetitions))
