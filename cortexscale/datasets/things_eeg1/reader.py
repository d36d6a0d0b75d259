"""THINGS-EEG1: human EEG during rapid serial presentation (Grootswagers et al. 2022, Scientific Data 9, 3).

A recording has 63 channels at 1000 Hz. The online reference is not stored. There are 22,248 images that are presented once, and
200 test images that are presented 12 times. A new image appears every 100 ms. The reader restores the online reference and
subtracts the average reference, as the dataset's authors do. It then high-pass filters at 0.1 Hz, cuts epochs, resamples them to
100 Hz, subtracts the baseline, and crops (paper, appendix A.3).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from cortexscale.datasets.formats import meeg
from cortexscale.datasets.formats.brainvision import Header, marker_samples, read_header
from cortexscale.datasets.formats.signal import require_of_cap
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.things_eeg1.events import read_events
from cortexscale.datasets.things_eeg1.recording import BLOCK_BYTES, CHANNELS, filtered, find_channels
from cortexscale.errors import InputError
from cortexscale.recording import Recording, Split

SUBJECTS = tuple(f"sub-{number:02d}" for number in range(1, 51))
ROIS = meeg.ROIS
SOURCE = all_facts()["things_eeg1"].source

_MARKER = ("Event", "E  1")
_EPOCHS = 500  # number of epochs that are resampled at a time


class Options(meeg.EpochOptions):
    """Options of THINGS-EEG1. Defaults are those of the paper, and default counts are those of the release."""

    reference: Literal["average", "none"] = Field(
        "average",
        description="`average` restores the online reference and subtracts the average of all channels, as the authors do. "
        "`none` does not change the recording.",
    )
    exclude_channels: tuple[str, ...] = Field(
        (),
        description="Channels that are not read, because they were broken or are missing from the files. All other channels of "
        "the cap must be in every file.",
    )
    highpass: PositiveFloat = Field(
        0.1, description="Cut-off frequency of the high-pass filter of the continuous recording, in Hz."
    )
    recorded_rate: PositiveInt = Field(1000, description="Sampling rate of the files, in Hz.")
    n_train: PositiveInt = Field(
        22_248,
        description="Number of training images. Each is presented once. Change counts for partial or simulated files only.",
    )
    n_test: int = Field(200, ge=2, description="Number of test images.")
    n_repetitions: int = Field(
        12,
        ge=2,
        description="Number of repetitions of every test image. With `zscore`, the trials of each repetition are standardised "
        "separately.",
    )

    @field_validator("exclude_channels")
    @classmethod
    def _channels_of_the_cap(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return require_of_cap(names, CHANNELS)


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the files with the header, markers, samples and events of one subject. They need not exist."""
    require_known([subject], SUBJECTS, "subjects of THINGS-EEG1")
    folder = Path(root) / subject / "eeg"
    return [folder / f"{subject}_task-rsvp_{ending}" for ending in ("eeg.vhdr", "eeg.vmrk", "eeg.eeg", "events.tsv")]


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check all files of one subject, except for the samples themselves."""
    _text_files(root, subject, options)


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB, computed from the expected counts."""
    _, _, units = shape(options, SUBJECTS[:1])
    responses = 4 * units * (options.n_train + (options.n_repetitions + 1) * options.n_test)
    checks = 2 * units * options.n_train  # two bytes per training response
    return int(np.ceil((responses + checks + 5 * BLOCK_BYTES) / 1e6)) + 400


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training stimuli, of test stimuli, and of units of all subjects. All subjects saw the same images."""
    units = (len(CHANNELS) - len(options.exclude_channels)) * len(options.times(options.recorded_rate))
    return options.n_train, options.n_test, units * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one subject. Responses are in microvolts, and both splits are ordered by stimulus id."""
    events, header, names, notes = _text_files(root, subject, options)
    times = options.times(options.recorded_rate)
    average = options.reference == "average"
    channels = [name for name in CHANNELS if name in names or (average and name == notes["online_reference"])]
    is_test, ids, sample = (events[column].to_numpy() for column in ("test", "id", "sample"))
    train_ids, train_row = np.unique(ids[~is_test].astype(str), return_inverse=True)
    test_ids, image = np.unique(ids[is_test].astype(str), return_inverse=True)
    row = np.empty(len(ids), dtype=int)
    row[~is_test], row[is_test] = train_row, np.arange(len(image))
    train = np.empty((len(train_ids), len(channels), len(times)), dtype=np.float32)
    trials = np.empty((len(image), len(channels), len(times)), dtype=np.float32)

    held = _EPOCHS * round((options.tmax - options.tmin) * options.recorded_rate)
    for columns, recording, warnings in filtered(header, channels, names, average, options.highpass, held):
        notes["warnings"] += warnings
        for first in range(0, len(row), _EPOCHS):
            block = slice(first, first + _EPOCHS)
            responses = meeg.cut_epochs(recording, sample[block], options, baseline_first=False)
            responses /= meeg.MICROVOLT
            test = is_test[block]
            train[row[block][~test], columns] = responses[~test]
            trials[row[block][test], columns] = responses[test]

    sequence = events.loc[is_test, "sequence"].to_numpy()
    ncsnr, permuted = (of(trials, image, sequence, zscore=options.zscore) for of in (meeg.trial_ncsnr, meeg.permuted_ncsnr))
    splits = (
        Split(train_ids, train, np.ones(len(train_ids), dtype=int)),
        Split(test_ids, *meeg.average_trials([(image, trials)], len(test_ids), trials.shape[1:])),
    )
    lobes = {name: meeg.eeg_lobe(name, options.centroparietal) for name in channels}
    return meeg.build_recording("things_eeg1", subject, *splits, lobes, times, ncsnr, options.min_nc_percent, notes, permuted)


def _text_files(root: Path, subject: str, options: Options) -> tuple[pd.DataFrame, Header, dict[str, str], dict[str, Any]]:
    """Return the events, the header, a dictionary (channel of the cap -> its name in the file), and the recording's notes."""
    header_file, _, data_file, events_file = raw_files(root, subject, options)
    remedy = f"It is {subject}/eeg/ of OpenNeuro ds003825, version 1.2.0."
    header = read_header(header_file, remedy)
    header.require_all_samples(remedy)
    if header.rate != options.recorded_rate:
        raise InputError(header_file, f"{header.rate:g} Hz", f"{options.recorded_rate} Hz (`recorded_rate`)", remedy)
    counts = options.n_train, options.n_test, options.n_repetitions
    events, seconds = read_events(events_file, header.rate, *counts, remedy)
    names, reference = find_channels(header_file, header.channels, remedy, options.exclude_channels)

    sample, markers = events["sample"].to_numpy(), marker_samples(header.markers, *_MARKER, remedy)
    if len(markers) != len(sample):
        found = f"{len(markers):,} markers {','.join(_MARKER)} for {len(sample):,} rows of {events_file.name}"
        raise InputError(header.markers, found, "one marker per row", f"take both files from one release. {remedy}")
    difference = np.abs(markers - sample)
    if difference.max() > 1:
        row = difference.argmax()
        found = f"row {row + 1} at sample {sample[row]:,}, but its marker at {markers[row]:,} (both from 0)"
        raise InputError(events_file, found, "onsets within 1 sample of the markers", f"take both from one release. {remedy}")
    meeg.require_epochs(data_file, sample, header.n_samples, header.rate, options)
    shortest = 3.3 * header.rate / options.highpass
    if header.n_samples < shortest:
        found = f"{header.n_samples / header.rate:.0f} s of recording"
        expected = f"{shortest / header.rate:.0f} s, the length of the filter at {options.highpass:g} Hz"
        raise InputError(data_file, found, expected, "raise `highpass`, or make simulated recordings longer")
    notes = {
        "unit": "µV",
        "online_reference": reference,
        "channels_not_in_the_cap": sorted(set(header.channels) - set(names.values())),
        "channels_excluded": list(options.exclude_channels),
        "onsets": "seconds" if seconds else "samples, as before release 1.2.0",
        "largest_difference_from_markers": int(difference.max()),
        "warnings": [],
    }
    return events, header, names, notes
