"""THINGS-EEG2: EEG of ten people who saw THINGS images five times a second (Gifford et al. 2022, NeuroImage 264:119754).

The reader uses the raw data (63 channels, 1000 Hz, 0.1-100 Hz, V), because the authors' preprocessed data are whitened. It cuts
epochs of -0.2 to 0.8 s, subtracts the mean of the baseline, resamples to 100 Hz, keeps the times from onset on, and averages over
presentations (paper, appendix A.4). A session presents half of the training images twice, and all test images twenty times. A
few images are presented one or two more times.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from cortexscale.datasets.formats import meeg
from cortexscale.datasets.formats.signal import StillSamples, require_of_cap, require_voltages
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.things_eeg2.design import HOLE, Plan, Session, require_eeg, require_plan
from cortexscale.datasets.things_eeg2.files import RATE, SESSIONS, SPLITS, Part, Release, SplitName, open_dictionary, stimulus_ids
from cortexscale.datasets.things_eeg2.source import open_recording, source_files
from cortexscale.errors import InputError
from cortexscale.recording import Recording, Split

SUBJECTS = tuple(f"sub-{number:02d}" for number in range(1, 11))
ROIS = meeg.ROIS
SOURCE = all_facts()["things_eeg2"].source

# fmt: off
CHANNELS = (
    "Fp1", "F3", "F7", "FT9", "FC5", "FC1", "C3", "T7", "TP9", "CP5", "CP1", "Pz", "P3", "P7", "O1", "Oz",
    "O2", "P4", "P8", "TP10", "CP6", "CP2", "Cz", "C4", "T8", "FT10", "FC6", "FC2", "F4", "F8", "Fp2", "AF7",
    "AF3", "AFz", "F1", "F5", "FT7", "FC3", "FCz", "C1", "C5", "TP7", "CP3", "P1", "P5", "PO7", "PO3", "POz",
    "PO4", "PO8", "P6", "P2", "CPz", "CP4", "TP8", "C6", "C2", "FC4", "FT8", "F6", "F2", "AF4", "AF8",
)
# fmt: on
"""Channels in the order of the release. Fz was the reference of the recording."""

_BLOCK = 200  # number of epochs that are cut at a time; they take 101 MB in float64


class Options(meeg.EpochOptions):
    """Options of THINGS-EEG2. Defaults are those of the paper, and default counts are those of the release."""

    source: Literal["npy", "brainvision"] = Field(
        "npy",
        description="`npy` reads the recordings that the authors joined, and `brainvision` the files that they joined. Both "
        "give the same numbers.",
    )
    unit: Literal["V", "uV"] = Field("V", description="Unit of the joined recordings.")
    channels: tuple[str, ...] = Field(CHANNELS, min_length=1, description="Names of the EEG channels that are read.")
    extra_repetitions: Literal["drop", "average"] = Field(
        "drop",
        description="Treatment of presentations beyond the planned number of a session. `drop` leaves them out, as the "
        "authors do, and `average` averages over them as well.",
    )
    n_train: PositiveInt = Field(16_540, description="Number of training images.")
    n_test: int = Field(200, ge=2, description="Number of test images.")
    n_sessions: int = Field(
        SESSIONS,
        ge=1,
        le=SESSIONS,
        description="Number of sessions of a subject. With fewer than 4, the first ones that are there are read; one session has "
        "half of the training images.",
    )
    train_images_per_session: PositiveInt = Field(
        8_270, description="Number of training images in a session. Every image is in the same number of sessions."
    )
    train_repetitions: PositiveInt = Field(
        2, description="Planned number of presentations of a training image in a session that presents it."
    )
    test_repetitions: PositiveInt = Field(20, description="Planned number of presentations of a test image in a session.")
    train_presentations: PositiveInt = Field(
        16_800, description="Number of presentations of training images in a session, including extra repetitions and targets."
    )
    test_presentations: PositiveInt = Field(
        4_080, description="Number of presentations of test images in a session, including extra repetitions and targets."
    )
    train_targets: NonNegativeInt = Field(
        90, description="Number of targets among the presentations of training images in a session."
    )
    test_targets: NonNegativeInt = Field(24, description="Number of targets among the presentations of test images in a session.")
    source_parts: PositiveInt = Field(
        5, description="Number of recordings in the source data over which the training images of a session are spread."
    )

    @field_validator("channels")
    @classmethod
    def _channels_of_the_cap(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return require_of_cap(names, CHANNELS)

    @property
    def most_train(self) -> int:
        """The number of training images that `n_sessions` can have."""
        return min(self.n_train, self.n_sessions * self.train_images_per_session)

    def plan(self, split: SplitName) -> Plan:
        """Return the planned presentations of one split."""
        if split == "training":
            counts = self.n_train, self.train_images_per_session, self.train_repetitions
            return Plan(*counts, self.train_presentations, self.train_targets)
        return Plan(self.n_test, self.n_test, self.test_repetitions, self.test_presentations, self.test_targets)


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the released files that :func:`read` opens for ``subject``. They need not exist."""
    release, files = _release(root, subject, options), []
    for session in release.sessions(options.n_sessions):
        for split in SPLITS:
            if options.source == "npy":
                files.append(release.dictionary(session, split))
            else:
                for header, log in source_files(release, session, split, options.source_parts):
                    files += [header, header.with_suffix(".vmrk"), header.with_suffix(".eeg"), log]
    return [*files, release.image_metadata]


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check the files, the channels, and the image of every trial, but not the responses."""
    _open(root, subject, options)


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB.

    It is the memory of libraries, a block, and the test trials or the training averages.
    """
    n_times = len(options.times(RATE))
    units = len(options.channels) * n_times
    per_session = options.n_test * options.test_repetitions
    if options.extra_repetitions == "average":
        per_session = options.test_presentations - options.test_targets
    trials = per_session * options.n_sessions
    test = 4 * units * (trials + options.n_test) + 8 * 8 * trials * n_times
    train = 4 * units * (options.most_train + options.n_test)
    samples = _BLOCK * round((options.tmax - options.tmin) * RATE)
    return int(np.ceil((max(test, train) + 4 * 8 * samples * len(options.channels)) / 1e6)) + 350


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training stimuli, of test stimuli, and of units of all subjects. All subjects saw the same images.

    Subjects with fewer than four sessions have at most this number of training stimuli, and not always the same ones.
    """
    return options.most_train, options.n_test, len(options.channels) * len(options.times(RATE)) * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one subject, a block of epochs at a time. Rows are in the order of the image metadata.

    The noise ceiling of a unit is estimated from single test trials. They are z-scored over images and repetitions within a
    session.
    """
    opened, times = _open(root, subject, options), options.times(RATE)
    (train_ids, training), (test_ids, testing) = opened["training"], opened["test"]
    size, warnings = (len(options.channels), len(times)), list[str]()

    n_trials = [int(session.kept.sum()) for session in testing]
    trials, image = np.empty((sum(n_trials), *size), dtype=np.float32), np.empty(sum(n_trials), dtype=int)
    filled = 0
    for images, responses in _trials(testing, options, warnings):
        rows = slice(filled, filled := filled + len(images))
        trials[rows], image[rows] = responses, images
    session_of = np.repeat(np.arange(len(n_trials)), n_trials)
    ncsnr, permuted = (of(trials, image, session_of, zscore=options.zscore) for of in (meeg.trial_ncsnr, meeg.permuted_ncsnr))
    test = Split(test_ids, *meeg.average_trials([(image, trials)], options.n_test, size))
    del trials
    shown = np.unique(np.concatenate([session.conditions[session.kept] for session in training])) - 1
    blocks = ((np.searchsorted(shown, images), responses) for images, responses in _trials(training, options, warnings))
    train = Split(train_ids[shown], *meeg.average_trials(blocks, len(shown), size))
    notes = {
        "source": options.source,
        "sessions": [session.number for session in testing],
        "unit": "microvolt",
        "targets_dropped": sum(int(session.is_target.sum()) for session in (*training, *testing)),
        "extra_repetitions_dropped": {
            split: sum(int((~session.kept & ~session.is_target).sum()) for session in sessions)
            for split, (_, sessions) in opened.items()
        },
        "warnings": warnings,
    }
    lobes = {name: meeg.eeg_lobe(name, options.centroparietal) for name in options.channels}
    splits = train, test
    return meeg.build_recording("things_eeg2", subject, *splits, lobes, times, ncsnr, options.min_nc_percent, notes, permuted)


def _release(root: Path, subject: str, options: Options) -> Release:
    require_known([subject], SUBJECTS, "subjects of THINGS-EEG2")
    return Release(Path(root), subject, options.source)


def _open(root: Path, subject: str, options: Options) -> dict[SplitName, tuple[np.ndarray, list[Session]]]:
    """Return, for each split, its THINGS ids and its recordings in each session."""
    release = _release(root, subject, options)
    numbers = release.sessions(options.n_sessions)
    release.require_sessions(numbers)
    opened: dict[SplitName, tuple[np.ndarray, list[Session]]] = {}
    for split in SPLITS:
        plan = options.plan(split)
        at_most = None if options.extra_repetitions == "average" else plan.repetitions
        ids = stimulus_ids(release, split, plan.images)
        sessions = [
            Session(number, f"{subject}/ses-{number:02d}, {split} images", _parts(release, number, split, options), at_most)
            for number in numbers
        ]
        require_plan(sessions, plan)
        for session in sessions:
            for part in session.parts:
                require_eeg(part, options.channels, options)
        opened[split] = ids, sessions
    return opened


def _parts(release: Release, session: int, split: SplitName, options: Options) -> list[Part]:
    if options.source == "npy":
        return [open_dictionary(release, session, split, options.channels, 1.0 if options.unit == "V" else meeg.MICROVOLT)]
    files = source_files(release, session, split, options.source_parts)
    return [open_recording(release, header, log, options.channels) for header, log in files]


def _trials(sessions: list[Session], options: Options, warnings: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of images (n,), counted from 0, and their responses (n, channels, times) in microvolts.

    Still samples are added to ``warnings``.
    """
    import mne

    info = mne.create_info(list(options.channels), RATE, "eeg", verbose="error")
    before, after = round(options.tmin * RATE), round(options.tmax * RATE)
    for session in sessions:
        ends = np.cumsum([len(part.onsets) for part in session.parts])
        for part, keep in zip(session.parts, np.split(session.kept, ends[:-1]), strict=True):
            still = StillSamples(part.path, options.channels, RATE)
            kept_onsets, kept_images = part.onsets[keep], part.conditions[keep] - 1
            for first in range(0, len(kept_onsets), _BLOCK):
                onsets, images = kept_onsets[first : first + _BLOCK], kept_images[first : first + _BLOCK]
                begin, stop = onsets[0] + before, onsets[-1] + after + 1
                volts = part.segment(begin, stop)
                require_voltages(part.path, volts, options.channels, begin, RATE, HOLE)
                still.add(volts, begin)
                raw = mne.io.RawArray(volts, info, verbose="error")
                responses = meeg.cut_epochs(raw, onsets - begin, options, baseline_first=True)
                empty = ~responses.any(axis=(1, 2))
                if empty.any():
                    raise InputError(part.path, f"zeros around sample {onsets[empty][0]:,}", "EEG", HOLE)
                yield images, responses / np.float32(meeg.MICROVOLT)
            warnings += still.warnings()
