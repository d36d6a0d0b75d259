"""A simulation of THINGS-EEG1 in the released layout."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from cortexscale.datasets.formats.meeg import build_recording, eeg_lobe
from cortexscale.datasets.things_eeg1.reader import Options
from cortexscale.datasets.things_eeg1.recording import CHANNELS
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling
from cortexscale.simulation.brainvision import write_brainvision
from cortexscale.simulation.meeg import RATE, continuous, evoked, interpolate, resampled_instants, trial_noise, true_ceiling
from cortexscale.simulation.visual_system import World

WIDE_WORKSPACE = ("sub-49", "sub-50")  # recorded with 127 channels against FCz, 63 of them connected
RECORDED_RATE = 1000
EXEMPLARS = 12  # number of images of a concept in the main part; the next image may be a test image

_SOA = 10  # grid samples: 100 ms
_PAUSE = 1.0  # in s, between sequences; longer than a response, shorter than in the experiment
_LEAD, _TAIL = 3.0, 2.0  # in s, of recording before the first onset and after the last onset
_SCALE = 2.0  # in µV, standard deviation of a wave at its peak
_COLUMNS = [
    *("onset", "duration", "eventnumber", "blocksequencenumber", "isteststim", "object", "objectnumber"),
    *("presentationnumber", "sequencenumber", "stim", "stimnumber", "teststimnumber", "withinsequencenumber", "istarget"),
    *("stimname", "response", "rt", "correct", "time_stimon", "time_stimoff", "stimdur", "sample"),
]


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment. Channels, sampling rate and presentation rate are those of the release."""

    concepts: PositiveInt = Field(
        50, description="Number of concepts of the main part. Each has twelve images, and every image is presented once."
    )
    test_images: int = Field(
        40, ge=2, description="Number of test images. Each shows a different concept and is presented once in each test sequence."
    )
    repetitions: int = Field(12, ge=2, description="Number of test sequences.")
    sequence_length: int = Field(60, ge=2, description="Number of images in a sequence of the main part.")
    noise: PositiveFloat = Field(
        0.2, description="Variance of the noise of one trial, divided by the variance of the signal at the peak of a wave."
    )
    subject_noise: dict[str, PositiveFloat] = Field(
        {}, description="Value of `noise` for each subject that does not have the common value."
    )


def events_table(things_ids: np.ndarray, settings: Settings, seed: int) -> pd.DataFrame:
    """Draw the trials of one subject. The table has one row per image, and the columns of release 1.2.0.

    The main part presents all its images in random order. Each test sequence presents all test images. Onsets are on the grid of
    100 Hz. ``sample`` counts from 1. ``things_ids`` has all images of the image folder, in byte order.
    """
    rng = np.random.default_rng(seed)
    images = pd.DataFrame({"id": things_ids})
    images[["object", "stimname"]] = images["id"].str.split("/", expand=True).to_numpy()
    images["objectnumber"] = images["object"].rank(method="dense").astype(int) - 1
    images["stimnumber"] = images.groupby("object").cumcount()
    main = images[(images["stimnumber"] < EXEMPLARS) & (images["objectnumber"] < settings.concepts)]
    spare = images[images["stimnumber"] == EXEMPLARS]
    test = spare.iloc[np.sort(rng.choice(len(spare), settings.test_images, replace=False))]
    test = test.assign(object=-1, objectnumber=-1, stimnumber=-1, teststimnumber=np.arange(len(test)))

    main = main.sample(frac=1, random_state=rng).assign(isteststim=0, teststimnumber=-1, blocksequencenumber=0)
    main["sequencenumber"] = np.arange(len(main)) // settings.sequence_length
    first = main["sequencenumber"].max() + 1
    sequences = [
        test.sample(frac=1, random_state=rng).assign(isteststim=1, sequencenumber=first + number, blocksequencenumber=-1)
        for number in range(settings.repetitions)
    ]
    shown = pd.concat([main, *sequences], ignore_index=True)
    place = shown.groupby("sequencenumber").cumcount()
    start = _LEAD * RATE + shown["sequencenumber"].diff().fillna(0).cumsum() * (_PAUSE * RATE - _SOA)
    onset = (start + np.arange(len(shown)) * _SOA).astype(int) * (RECORDED_RATE // RATE)
    shown["sample"] = onset + 1
    shown["onset"] = shown["sample"] / RECORDED_RATE
    shown["duration"] = 50  # ms as in the release, although BIDS demands s
    shown["eventnumber"] = shown["presentationnumber"] = np.arange(len(shown))
    shown["withinsequencenumber"] = place.where(shown["isteststim"] == 0, -1)
    shown["stim"] = "stimuli\\" + shown["id"].str.replace("/", "\\")
    shown["istarget"] = (np.arange(len(shown)) % 90 == 45).astype(int)
    shown["response"] = shown["istarget"]
    shown["rt"], shown["correct"], shown["stimdur"] = 0.0, 1, 0.05
    shown["time_stimon"] = shown["onset"] + 12.3  # the display has a clock of its own
    shown["time_stimoff"] = shown["time_stimon"] + shown["stimdur"]
    return shown[_COLUMNS]


def write_things_eeg1(root: Path, subject: str, events: pd.DataFrame, potentials: np.ndarray) -> None:
    """Write the BrainVision files and ``events.tsv`` of one subject.

    ``potentials`` (64 channels of the cap, samples) are in µV against any reference, at 1000 Hz.
    """
    base = f"{root}/{subject}/eeg/{subject}_task-rsvp"
    reference = CHANNELS.index("FCz" if subject in WIDE_WORKSPACE else "Cz")  # it is not stored
    names = [name for name in CHANNELS if name != CHANNELS[reference]]
    microvolts = np.delete(potentials - potentials[reference], reference, axis=0).astype(np.float32)
    if subject in WIDE_WORKSPACE:  # channels that were not connected are 0
        names += [f"N{number}" for number in range(len(names) + 1, 128)]
        microvolts = np.pad(microvolts, ((0, len(names) - len(microvolts)), (0, 0)))
    onsets = events["sample"].to_numpy() - 1
    markers = [("Event", f"E  {which}", sample + off) for sample in onsets for which, off in ((1, 0), (2, 50))]
    write_brainvision(Path(f"{base}_eeg"), microvolts, names, RECORDED_RATE, markers)
    events.to_csv(f"{base}_events.tsv", sep="\t", index=False)


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the files of all subjects, and yield the truth of each subject: noise-free responses in µV, and true noise ceilings
    above 1 %.

    Truths are for the average reference. Noise has two parts: what is added to the recording, and the responses to neighbouring
    images. Subtracting the baseline adds more noise of both kinds (:func:`cortexscale.simulation.meeg.trial_noise`).
    """
    options = Options()
    times = options.times(RECORDED_RATE)
    instants = resampled_instants(options.tmin, options.tmax, RECORDED_RATE)[-len(times) :]
    lobes = {name: eeg_lobe(name) for name in CHANNELS}
    for subject in subjects:
        own = seed + 100 * int(subject.removeprefix("sub-"))
        events = events_table(world.things_ids, settings, own)
        ids = events["stim"].str.removeprefix("stimuli\\").str.replace("\\", "/")
        row = pd.Index(world.things_ids).get_indexer(ids)
        recorded, resampled = (
            _SCALE * evoked(world.brain, world.things_latents, list(lobes.values()), when, seed=own) for when in (times, instants)
        )
        for signal in (recorded, resampled):
            signal -= signal.mean(axis=1, keepdims=True)
        variance = settings.subject_noise.get(subject, settings.noise) * _SCALE**2
        write_things_eeg1(root, subject, events, _potentials(recorded, row, events, variance, own + 1))

        is_test = (events["isteststim"] == 1).to_numpy()
        train, test = (np.unique(row[rows]) for rows in (~is_test, is_test))  # sorted by id, like the image folder
        variance *= 1 - 1 / len(CHANNELS)  # the average reference removes this part of the noise
        noise = trial_noise(resampled[test], variance, soa=_SOA, length=len(test), baseline=round(0.2 * RATE) + 1)
        ceiling = true_ceiling(resampled[test], noise, settings.repetitions)
        splits = (
            Split(world.things_ids[train], resampled[train], np.ones(len(train), dtype=int)),
            Split(world.things_ids[test], resampled[test], np.full(len(test), settings.repetitions)),
        )
        ncsnr = ncsnr_of_ceiling(ceiling, settings.repetitions)
        yield subject, build_recording("things_eeg1", subject, *splits, lobes, times, ncsnr)


def _potentials(signal: np.ndarray, row: np.ndarray, events: pd.DataFrame, variance: float, seed: int) -> np.ndarray:
    """Return potentials (64, samples) in µV at 1000 Hz, which are responses to the images plus white noise below 50 Hz."""
    factor = RECORDED_RATE // RATE
    onsets = (events["sample"].to_numpy() - 1) // factor
    clean = continuous(signal, row, onsets, onsets[-1] + int(_TAIL * RATE))
    noise = np.random.default_rng(seed).standard_normal(clean.shape, dtype=np.float32) * np.float32(np.sqrt(variance))
    return interpolate(clean + noise, factor)
