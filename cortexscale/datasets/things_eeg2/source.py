"""The source data of THINGS-EEG2: BrainVision recordings, and MATLAB logs that give the image of each trigger.

A trigger has one byte, which is too small for the number of an image. In the training parts, the trigger is the first two digits
of this number. Images are therefore read from the log. The triggers only confirm that recording and log belong together.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cortexscale.datasets.formats.brainvision import read_header, read_markers
from cortexscale.datasets.formats.signal import match_channels
from cortexscale.datasets.things_eeg2.files import RATE, TARGET, Part, Release, SplitName
from cortexscale.errors import InputError
from cortexscale.files import require_real_file


def source_files(release: Release, session: int, split: SplitName, n_parts: int) -> list[tuple[Path, Path]]:
    """List the header (``.vhdr``) and log (``.mat``) of every part of a session's training or test block."""
    tasks = ["test"] if split == "test" else [f"train_part-{part:02d}" for part in range(1, n_parts + 1)]
    folder = release.session(session)
    stems = [f"{release.subject}_ses-{session:02d}_task-{task}" for task in tasks]
    return [(folder / "eeg" / f"{stem}_eeg.vhdr", folder / "beh" / f"{stem}_beh.mat") for stem in stems]


def open_recording(release: Release, path: Path, log: Path, channels: Sequence[str]) -> Part:
    """Open one part of a session, from its header and its log. No response is read."""
    remedy = release.remedy(path)
    header = read_header(path, remedy)
    header.require_all_samples(remedy)
    names = match_channels(path, channels, header.channels, remedy)
    if absent := [channel for channel in channels if channel not in names]:
        raise InputError(path, f"no channel {', '.join(absent)}", f"{len(channels)} EEG channels", remedy)
    if header.rate != RATE:
        raise InputError(path, f"{header.rate:g} Hz", f"{RATE} Hz", remedy)
    onsets, triggers = _triggers(header.markers, remedy)
    numbers, sent = _read_log(log, remedy)
    if not np.array_equal(triggers, sent):
        found = f"{len(triggers):,} triggers"
        if len(triggers) == len(sent):
            wrong = np.flatnonzero(triggers != sent)
            found += f", {len(wrong):,} of them other than in the log, the first number {wrong[0] + 1}"
        expected = f"the {len(sent):,} triggers of {log.name}"
        raise InputError(header.markers, found, expected, f"fetch the recording and its log again. {remedy}")

    def segment(first: int, stop: int) -> np.ndarray:
        return header.read([names[channel] for channel in channels], first, stop)

    return Part(path, header.n_samples, onsets, np.where(numbers == 0, TARGET, numbers), segment)


def _triggers(markers: Path, remedy: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the sample, counted from 0, and the code of every trigger."""
    descriptions, samples = read_markers(markers, "Stimulus", remedy)
    codes = [re.fullmatch(r"S ?(\d{1,3})", description) for description in descriptions]
    rows = [row for row, code in enumerate(codes) if code]
    return samples[rows], np.array([int(code[1]) for code in codes if code], dtype=np.int64)


def _read_log(log: Path, remedy: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the image number of each trial, which is 0 for a target, and its trigger."""
    import scipy.io

    require_real_file(log, remedy)
    try:
        # Without simplify_cells, numbers are nested arrays of objects.
        images = scipy.io.loadmat(log, simplify_cells=True)["data"]["images"]
        columns = [np.array([image[key] for image in images], dtype=np.int64) for key in ("tot_img_number", "trigger_1")]
    except Exception as error:  # scipy raises many unrelated types for a damaged file
        found = f"no list of images ({type(error).__name__}: {error})"
        expected = "data.images with tot_img_number and trigger_1 of every trial"
        raise InputError(log, found, expected, remedy) from error
    return columns[0], columns[1]
