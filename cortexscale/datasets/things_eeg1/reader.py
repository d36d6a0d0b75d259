"""THINGS-EEG1: human EEG during rapid serial presentation (Grootswagers et al. 2022, Scientific Data 9, 3).

It is released as OpenNeuro ds003825 in BIDS, one BrainVision recording per subject: 63 channels at 1000 Hz against an
online reference that is not stored. 22,248 images are presented once and 200 test images 12 times, one every 100 ms.

The reader restores the online reference and subtracts the average reference, high-pass filters at 0.1 Hz, cuts epochs,
resamples them to 100 Hz, subtracts the baseline and crops (paper, appendix A.3, and for the reference the authors of the
dataset).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic

from cortexscale.datasets.formats.brainvision import Header, marker_samples, read_header
from cortexscale.datasets.formats.meeg import (
    MICROVOLT,
    ROIS,
    Averages,
    EpochOptions,
    build_recording,
    eeg_lobe,
    epoch_blocks,
    sample_times,
    trial_ncsnr,
)
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.source import THINGS_IMAGES, Source
from cortexscale.datasets.things_eeg1.events import Events, read_events
from cortexscale.datasets.things_eeg1.recording import BLOCK_BYTES, CHANNELS, filtered, find_channels
from cortexscale.errors import InputError
from cortexscale.recording import Recording

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

SUBJECTS = tuple(f"sub-{number:02d}" for number in range(1, 51))

SOURCE = Source(
    title="THINGS-EEG1: EEG of 50 people who saw 22,248 THINGS images, ten a second",
    citation="Grootswagers, Zhou, Robinson, Hebart & Carlson (2022), Scientific Data 9, 3, doi:10.1038/s41597-021-01102-7",
    licence="CC0",
    get="OpenNeuro ds003825, version 1.2.0 (doi:10.18112/openneuro.ds003825.v1.2.0). Of each subject, sub-XX/eeg/ is read "
    "(about 0.8 GB; 44 GB in all), e.g. `aws s3 sync --no-sign-request s3://openneuro.org/ds003825/sub-02/eeg sub-02/eeg`. "
    "The derivatives are not needed.",
    images=THINGS_IMAGES,
)

_MARKER = ("Event", "E  1")
_EPOCHS = 500
"""Epochs that are resampled at a time."""


class Options(EpochOptions):
    """Options of THINGS-EEG1. The defaults are those of the paper; the counts are those of the release.

    Attributes:
        reference: ``average`` of all channels with the online reference restored, as the authors; or ``none``: as recorded.
        highpass: Hz, on the continuous recording.
        recorded_rate: Hz, of the files.
        n_train: training images, each presented once. Change counts for partial or simulated files only.
        n_test: test images.
        n_repetitions: presentations of every test image, within each of which ``zscore`` standardises.
    """

    reference: Literal["average", "none"] = "average"
    highpass: pydantic.PositiveFloat = 0.1
    recorded_rate: pydantic.PositiveInt = 1000
    crop_from: float | None = 0
    n_train: pydantic.PositiveInt = 22_248
    n_test: int = pydantic.Field(default=200, ge=2)
    n_repetitions: int = pydantic.Field(default=12, ge=2)

    def times(self) -> np.ndarray:
        """Return the times (s) of the responses."""
        return sample_times(self.tmin, self.tmax, self.recorded_rate, self.rate, self.crop_from)


@dataclass(frozen=True)
class _Session:
    """Content of the text files of one subject.

    Attributes:
        header: header of the recording.
        events: its events.
        names: channel of the cap -> the name as the file spells it.
        online_reference: channel of the cap that was the reference.
        marker_difference: samples between markers and events.
    """

    header: Header
    events: Events
    names: dict[str, str]
    online_reference: str
    marker_difference: int


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List header, markers, samples and events of one subject. They need not exist.

    Raises:
        InputError: the release has no such subject.
    """
    require_known([subject], SUBJECTS, "subjects of THINGS-EEG1")
    base = Path(root) / subject / "eeg" / f"{subject}_task-rsvp"
    return [base.with_name(base.name + ending) for ending in ("_eeg.vhdr", "_eeg.vmrk", "_eeg.eeg", "_events.tsv")]


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check everything about one subject but the samples themselves.

    Raises:
        InputError: a file is missing, cut short or unlike the release, files disagree, or the subject saw no test images.
    """
    _session(root, subject, options)


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB, from the expected counts."""
    units = len(CHANNELS) * len(options.times())
    responses = 4 * units * (options.n_train + (options.n_repetitions + 1) * options.n_test)
    checks = 2 * units * options.n_train  # one byte per response, twice
    libraries = 400e6
    return int(np.ceil((responses + checks + 5 * BLOCK_BYTES + libraries) / 1e6))


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training and test stimuli, and the most units of one kernel, as all subjects saw the same images."""
    return options.n_train, options.n_test, len(CHANNELS) * len(options.times()) * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one subject: responses in microvolts, both splits ordered by stimulus id.

    Returns:
        A recording with the unit columns ``unit`` (``Oz@120ms``), ``channel``, ``time`` (s), ``ncsnr`` and ``nc_percent``.

    Raises:
        InputError: a file is not what was released, the subject saw no test images, or no unit passes the selection.
    """
    session, times = _session(root, subject, options), options.times()
    events = session.events
    channels = [name for name in CHANNELS if name in session.names]
    if options.reference == "average":
        channels = [name for name in CHANNELS if name in session.names or name == session.online_reference]
    train_ids, train_row = np.unique(events.stimulus_id[~events.test], return_inverse=True)
    test_ids, test_row = np.unique(events.stimulus_id[events.test], return_inverse=True)
    row = np.empty(len(events.test), dtype=int)
    row[~events.test], row[events.test] = train_row, np.arange(len(test_row))
    train = np.empty((len(train_ids), len(channels), len(times)), dtype=np.float32)
    trials = np.empty((len(test_row), len(channels), len(times)), dtype=np.float32)

    header_file = raw_files(root, subject, options)[0]
    epoch_samples = _EPOCHS * round((options.tmax - options.tmin) * options.recorded_rate)
    parts = filtered(header_file, channels, session.names, options.reference == "average", options.highpass, epoch_samples)
    for columns, recording in parts:
        epochs = epoch_blocks(
            recording,
            events.sample,
            where=header_file,
            tmin=options.tmin,
            tmax=options.tmax,
            rate=options.rate,
            baseline=options.baseline,
            baseline_first=False,
            crop_from=options.crop_from,
            block=_EPOCHS,
        )
        for rows, responses in epochs:
            responses /= MICROVOLT
            test = events.test[rows]
            train[row[rows][~test], columns] = responses[~test]
            trials[row[rows][test], columns] = responses[test]

    averages = Averages(len(test_ids), len(channels), len(times))
    averages.add(test_row, trials)
    ncsnr = trial_ncsnr(trials, test_row, events.sequence[events.test], zscore=options.zscore)
    return build_recording(
        "things_eeg1",
        subject,
        channels=channels,
        lobes=[eeg_lobe(name, options.centroparietal) for name in channels],
        times=times,
        train_ids=train_ids,
        train=train,
        train_repetitions=np.ones(len(train_ids), dtype=int),
        test_ids=test_ids,
        test=averages.finish(),
        test_repetitions=averages.counts,
        ncsnr=ncsnr,
        min_nc_percent=options.min_nc_percent,
        notes={
            "unit": "µV",
            "online_reference": session.online_reference,
            "channels_not_in_the_cap": sorted(set(session.header.channels) - set(session.names.values())),
            "channels_missing": sorted(set(CHANNELS) - set(session.names) - {session.online_reference}),
            "onsets": "seconds" if events.seconds else "samples, as before release 1.2.0",
            "largest_difference_from_markers": session.marker_difference,
        },
    )


def _session(root: Path, subject: str, options: Options) -> _Session:
    header_file, _, data_file, events_file = raw_files(root, subject, options)
    remedy = f"It is {subject}/eeg/ of OpenNeuro ds003825, version 1.2.0."
    header = read_header(header_file, remedy)
    if header.rate != options.recorded_rate:
        raise InputError(header_file, f"{header.rate:g} Hz", f"{options.recorded_rate} Hz (`recorded_rate`)", remedy)
    events = read_events(events_file, header.rate, options.n_train, options.n_test, options.n_repetitions, remedy)
    names, reference = find_channels(header_file, header.channels, remedy)

    markers = marker_samples(header.markers, *_MARKER)
    if len(markers) != len(events.sample):
        found = f"{len(markers):,} markers {','.join(_MARKER)} for {len(events.sample):,} rows of {events_file.name}"
        raise InputError(header.markers, found, "one marker per row", f"take both files from one release. {remedy}")
    difference = int(np.abs(markers - events.sample).max())
    if difference > 1:
        row = int(np.abs(markers - events.sample).argmax())
        found = f"row {row + 1} at sample {events.sample[row]:,}, but its marker at {markers[row]:,} (both from 0)"
        raise InputError(events_file, found, "onsets within 1 sample of the markers", f"take both from one release. {remedy}")
    last = events.sample[-1] + round(options.tmax * header.rate)
    if last >= header.n_samples:
        found = f"{header.n_samples:,} samples, but the last epoch ends at sample {last:,}"
        raise InputError(data_file, found, "every epoch within the data", "the download was cut short; repeat it. " + remedy)
    shortest = 3.3 * header.rate / options.highpass
    if header.n_samples < shortest:
        found = f"{header.n_samples / header.rate:.0f} s of recording"
        expected = f"{shortest / header.rate:.0f} s, the length of the filter at {options.highpass:g} Hz"
        raise InputError(data_file, found, expected, "raise `highpass`, or make simulated recordings longer")
    return _Session(header, events, names, reference, difference)
