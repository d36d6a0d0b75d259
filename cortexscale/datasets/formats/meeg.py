"""Code that readers of EEG and MEG share: sensor groups, epochs at a lower rate, and noise ceilings of (channel, time) pairs."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
import pydantic

from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.recording import Recording, Split

if TYPE_CHECKING:
    import mne

LOBES = ("occipital", "parietal", "temporal", "frontal", "central")
ROIS = (*LOBES, "occipital_parietal", "whole_brain")

Lobe = Literal["central", "parietal"]
"""The lobes that centro-parietal channels may belong to."""

MICROVOLT = 1e-6
"""One microvolt in volts. MNE gives EEG in volts, and recordings hold microvolts."""

_EEG_LOBES = {
    **dict.fromkeys(("O", "PO"), "occipital"),
    "P": "parietal",
    **dict.fromkeys(("FT", "TP", "T"), "temporal"),
    **dict.fromkeys(("FC", "CP", "C"), "central"),
    **dict.fromkeys(("AF", "FP", "F"), "frontal"),
}
_MEG_LOBES = {lobe[0].upper(): lobe for lobe in LOBES}


def eeg_lobe(channel: str, cp: Lobe = "central") -> str:
    """Return the lobe of an EEG channel of the 10-10 system, from the letters of its name in any case.

    Args:
        channel: its name, such as ``PO7``.
        cp: the lobe that centro-parietal channels (CP3 ...) belong to; the authors of the datasets leave it open.

    Raises:
        InputError: the name is none of the 10-10 system.
    """
    position = re.fullmatch(r"([A-Z]+?)(Z|\d{1,2})", channel.upper())
    if not position or position[1] not in _EEG_LOBES:
        expected = f"a name of the 10-10 system: {', '.join(_EEG_LOBES)} and a number or z"
        raise InputError(f"channel {channel}", "a name that tells no lobe", expected, "drop the channel before it is grouped")
    return cp if position[1] == "CP" else _EEG_LOBES[position[1]]


def meg_lobe(sensor: str) -> str:
    """Return the lobe of a CTF sensor such as ``MLO11-1609``, which the third letter of its name tells.

    Raises:
        InputError: the name is none of a CTF gradiometer.
    """
    position = re.fullmatch(r"M[LRZ]([A-Z])\d\d(-\d+)?", sensor)
    if not position or position[1] not in _MEG_LOBES:
        expected = f"M, then L, R or Z, then one of {', '.join(_MEG_LOBES)}, then two digits"
        raise InputError(
            f"sensor {sensor}", "a name that tells no lobe", expected, "read the sensors of the released epochs only"
        )
    return _MEG_LOBES[position[1]]


def sensor_rois(lobes: Sequence[str]) -> pd.DataFrame:
    """Return which ROIs every channel is in: one boolean column per entry of :data:`ROIS`, one row per entry of ``lobes``."""
    lobes = np.asarray(lobes)
    rois = {lobe: lobes == lobe for lobe in LOBES}
    rois["occipital_parietal"] = rois["occipital"] | rois["parietal"]
    rois["whole_brain"] = np.ones(len(lobes), bool)
    return pd.DataFrame(rois)


def sample_times(tmin: float, tmax: float, recorded_rate: float, rate: float, crop_from: float | None) -> np.ndarray:
    """Return the times (s) of the samples that :func:`epoch_blocks` yields, as MNE labels them.

    Resampling drops the last sample of a closed interval and moves the others by less than half a sample: responses of
    THINGS-EEG1 and 2 (1001 samples at 1000 Hz) appear about 4 ms late, those of THINGS-MEG (281 at 200 Hz) 5 ms early.
    """
    recorded = round(tmax * recorded_rate) - round(tmin * recorded_rate) + 1
    times = np.round(tmin + np.arange(round(recorded * rate / recorded_rate)) / rate, 6)
    return times if crop_from is None else times[times >= crop_from - 0.5 / rate]


def epoch_blocks(
    raw: "mne.io.BaseRaw",
    samples: np.ndarray,
    *,
    where: object,
    tmin: float,
    tmax: float,
    rate: float,
    baseline: tuple[float | None, float | None],
    baseline_first: bool,
    crop_from: float | None,
    block: int = 200,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Cut epochs of the EEG channels, one block at a time, so that memory does not grow with the number of events.

    Epochs are resampled, their baseline is subtracted and they are cropped, each step by MNE. The numbers do not depend on
    the block size.

    Args:
        raw: the recording at its recorded rate; data that are not loaded are read block by block.
        samples: (n,) onsets, counted from the first sample of ``raw``, 0-based and all different.
        where: what a message names, usually the file.
        tmin: start of an epoch, in s from the onset.
        tmax: end of an epoch.
        rate: Hz of the responses.
        baseline: window (s) whose mean is subtracted.
        baseline_first: subtract the baseline before the resampling, and not after it.
        crop_from: earliest time (s) that is kept; None keeps all.
        block: epochs in a block.

    Yields:
        The slice of events, and their responses (events, channels, times) float32 in the unit of MNE (V).

    Raises:
        InputError: an epoch reaches beyond the recording, or two events are at one sample.
    """
    import mne

    samples = np.asarray(samples, dtype=np.int64)
    recorded = raw.info["sfreq"]
    outside = (samples + round(tmin * recorded) < 0) | (samples + round(tmax * recorded) >= raw.n_times)
    if outside.any():
        raise InputError(
            where,
            f"{outside.sum()} of {len(samples)} epochs beyond the recording, the first at sample {samples[outside][0]:,}",
            f"{tmin:g} to {tmax:g} s around every onset within {raw.n_times:,} samples",
            "the data file or the events are cut short, or of another recording: fetch them again",
        )
    if len(np.unique(samples)) < len(samples):
        raise InputError(where, "two events at one sample", "one event per onset", "fetch the events again")
    for first in range(0, len(samples), block):
        rows = slice(first, min(first + block, len(samples)))
        onsets = samples[rows] + raw.first_samp
        epochs = mne.Epochs(
            raw,
            np.column_stack([onsets, np.zeros_like(onsets), np.ones_like(onsets)]),
            tmin=tmin,
            tmax=tmax,
            baseline=baseline if baseline_first else None,
            picks="eeg",
            preload=True,
            reject_by_annotation=False,
            on_outside="raise",
            verbose="error",
        )
        epochs.resample(rate, verbose="error")
        if not baseline_first:
            epochs.apply_baseline(baseline, verbose="error")
        if crop_from is not None:
            epochs.crop(crop_from, None, verbose="error")
        yield rows, epochs.get_data(copy=False).astype(np.float32)


class EpochOptions(pydantic.BaseModel, extra="forbid"):
    """Options of a reader that cuts epochs out of a continuous EEG recording. The defaults are those of the paper.

    Attributes:
        centroparietal: the lobe that channels CP* belong to. The paper does not say.
        tmin: s, start of the epoch that is cut out.
        tmax: s, its end.
        baseline: s, the interval whose mean is subtracted.
        crop_from: s, the earliest time that is kept; null keeps all.
        rate: Hz of the responses. MNE's resampling includes the anti-aliasing filter.
        zscore: z-score the test trials within each session or repetition for the noise ceiling. The paper does not say.
        min_nc_percent: units need a noise ceiling above this, in percent of variance.
    """

    centroparietal: Lobe = "central"
    tmin: float = -0.2
    tmax: float = 0.8
    baseline: tuple[float, float] = (-0.2, 0.0)
    crop_from: float | None = None
    rate: pydantic.PositiveInt = 100
    zscore: bool = True
    min_nc_percent: float = pydantic.Field(default=1, ge=0, lt=100)

    @pydantic.model_validator(mode="after")
    def _intervals_fit(self) -> Self:
        (first, last), earliest = self.baseline, self.tmin if self.crop_from is None else self.crop_from
        if not self.tmin <= first < last <= self.tmax or not self.tmin <= earliest < self.tmax:
            raise ValueError("the baseline and crop_from lie within tmin to tmax")
        return self


class Averages:
    """Running averages over the trials of each image, for trials that come in blocks.

    Attributes:
        counts: (images,) trials added so far.
    """

    def __init__(self, n_images: int, n_channels: int, n_times: int):
        self.counts = np.zeros(n_images, dtype=int)
        self._sums = np.zeros((n_images, n_channels, n_times), dtype=np.float32)

    def add(self, images: np.ndarray, trials: np.ndarray) -> None:
        """Add trials (n, channels, times) of the images (n,), which may repeat."""
        for image, trial in zip(images, trials, strict=True):
            self._sums[image] += trial
            self.counts[image] += 1

    def finish(self) -> np.ndarray:
        """Return the averages, (images, channels, times) float32, with nan for images without a trial.

        The averages use the memory of the sums, so this can be called once and nothing can be added afterwards.
        """
        averages = self._sums
        del self._sums
        with np.errstate(invalid="ignore"):
            averages /= self.counts[:, None, None].astype(np.float32)
        return averages


def trial_ncsnr(trials: np.ndarray, image: np.ndarray, session: np.ndarray, *, zscore: bool) -> np.ndarray:
    """Estimate the noise-ceiling signal-to-noise ratio of every channel and time (Allen et al. 2022), one channel at a time.

    Args:
        trials: (n, channels, times) single trials of the test images.
        image: (n,) the image of each trial.
        session: (n,) the session or the repetition of each trial, within which trials are z-scored.
        zscore: z-score across the trials of each session first (ddof 0), as the authors of THINGS-MEG do. Offsets and
            gains that differ between sessions then do not count as noise.

    Returns:
        (channels, times) float64; nan where the trials (if z-scored, those of one session) have no variance.
    """
    sessions = [np.flatnonzero(session == name) for name in np.unique(session)] if zscore else [np.arange(len(trials))]
    ncsnr = np.empty(trials.shape[1:])
    for channel in range(trials.shape[1]):
        responses = trials[:, channel].astype(np.float64)
        constant = np.zeros(responses.shape[1], bool)
        for rows in sessions:
            part = responses[rows] - responses[rows[0]]  # so that equal numbers have a deviation of exactly 0
            constant |= ~part.any(axis=0)
            if zscore:
                with np.errstate(invalid="ignore"):
                    responses[rows] = (part - part.mean(axis=0)) / part.std(axis=0)
        ncsnr[channel] = np.where(constant, np.nan, ncsnr_from_trials(responses, image, zscored=zscore))
    return ncsnr


def build_recording(
    dataset: str,
    subject: str,
    *,
    channels: Sequence[str],
    lobes: Sequence[str],
    times: np.ndarray,
    train_ids: np.ndarray,
    train: np.ndarray,
    train_repetitions: np.ndarray,
    test_ids: np.ndarray,
    test: np.ndarray,
    test_repetitions: np.ndarray,
    ncsnr: np.ndarray,
    min_nc_percent: float,
    notes: dict[str, Any],
) -> Recording:
    """Build the recording of one subject from its averages.

    Units are the (channel, time) pairs with a noise ceiling above ``min_nc_percent`` and above 0.

    Args:
        dataset: its name.
        subject: its name.
        channels: (channels,) names.
        lobes: (channels,) one of :data:`LOBES` each.
        times: (times,) s from the onset of the stimulus.
        train_ids: (n,) stimuli of the training split.
        train: (n, channels, times) float32, averaged over trials. Selecting units overwrites it, so that no second copy is made.
        train_repetitions: (n,) trials averaged.
        test_ids: (m,) stimuli of the test split.
        test: (m, channels, times), as ``train``.
        test_repetitions: (m,) trials averaged.
        ncsnr: (channels, times) of the test trials; nan where there is none.
        min_nc_percent: percent of variance.
        notes: what the reader saw and a user should know.

    Returns:
        A recording with the unit columns ``unit`` (``Oz@120ms``), ``channel``, ``time``, ``ncsnr`` and ``nc_percent``. Its
        ``screening`` has all pairs.

    Raises:
        InputError: no pair passes, or a response is not finite.
    """
    n_channels, n_times = ncsnr.shape
    nc_percent = noise_ceiling_percent(ncsnr.ravel(), test_repetitions)
    keep = nc_percent > max(min_nc_percent, 0)  # False for nan
    if not keep.any():
        best = f"the best has {np.nanmax(nc_percent):.2g} %" if np.isfinite(nc_percent).any() else "none has a ceiling at all"
        raise InputError(
            f"dataset {dataset}, subject {subject}",
            f"no channel and time of {keep.size:,} with a noise ceiling above {min_nc_percent:g} %; {best}",
            "noise ceilings above `min_nc_percent`",
            "lower `min_nc_percent`, or leave this subject out of `subjects`",
        )
    rois = sensor_rois(lobes).loc[np.repeat(np.arange(n_channels), n_times)].reset_index(drop=True)
    pairs = pd.DataFrame({"channel": np.repeat(np.asarray(channels), n_times), "time": np.tile(times, n_channels)})
    names = [f"{channel}@{round(1000 * time)}ms" for channel, time in zip(pairs["channel"], pairs["time"], strict=True)]
    pairs.insert(0, "unit", names)
    pairs["ncsnr"], pairs["nc_percent"] = ncsnr.ravel(), nc_percent
    return Recording(
        dataset,
        subject,
        Split(np.asarray(train_ids), _columns(train, keep), np.asarray(train_repetitions)),
        Split(np.asarray(test_ids), _columns(test, keep), np.asarray(test_repetitions)),
        pairs[keep].reset_index(drop=True),
        rois[keep].reset_index(drop=True),
        notes,
        pd.concat([pairs.drop(columns="ncsnr").assign(kept=keep), rois], axis=1),
    ).check()


def _columns(responses: np.ndarray, keep: np.ndarray, block: int = 500) -> np.ndarray:
    """Move the kept (channel, time) columns of (n, channels, times) to the front of the same memory, and return them."""
    responses = np.ascontiguousarray(responses, dtype=np.float32).reshape(len(responses), -1)
    width, memory = int(keep.sum()), responses.reshape(-1)
    for first in range(0, len(responses), block):
        rows = responses[first : first + block][:, keep]  # a copy, which then overwrites these rows or earlier ones
        memory[first * width : first * width + rows.size] = rows.ravel()
    return memory[: len(responses) * width].reshape(len(responses), width)
