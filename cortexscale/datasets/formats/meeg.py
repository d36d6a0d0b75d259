"""What the M/EEG datasets share: sensor groups, epochs at a lower rate, noise ceilings, units that are (channel, time) pairs."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.recording import Recording, Split

if TYPE_CHECKING:
    import mne

LOBES = ("occipital", "parietal", "temporal", "frontal", "central")
ROIS = (*LOBES, "occipital_parietal", "whole_brain")

MICROVOLT = 1e-6
"""Volts. MNE gives EEG in volts; Recordings hold microvolts."""

_EEG_LOBES = {
    **dict.fromkeys(("O", "PO"), "occipital"),
    "P": "parietal",
    **dict.fromkeys(("FT", "TP", "T"), "temporal"),
    **dict.fromkeys(("FC", "CP", "C"), "central"),
    **dict.fromkeys(("AF", "FP", "F"), "frontal"),
}
_MEG_LOBES = {lobe[0].upper(): lobe for lobe in LOBES}


def eeg_lobe(channel: str, cp: Literal["central", "parietal"] = "central") -> str:
    """The lobe of an EEG channel of the 10-10 system, from the letters of its name in any case.

    Args:
        cp: the lobe that centro-parietal channels (CP3 ...) count to; the datasets' authors leave it open.

    Raises:
        InputError: no name of the 10-10 system.
    """
    position = re.fullmatch(r"([A-Z]+?)(Z|\d{1,2})", channel.upper())
    if not position or position[1] not in _EEG_LOBES:
        expected = f"a name of the 10-10 system: {', '.join(_EEG_LOBES)} and a number or z"
        raise InputError(f"channel {channel}", "a name that tells no lobe", expected, "drop the channel before it is grouped")
    return cp if position[1] == "CP" else _EEG_LOBES[position[1]]


def meg_lobe(sensor: str) -> str:
    """The lobe of a CTF sensor such as ``MLO11-1609``: the third letter of its name.

    Raises:
        InputError: no name of a CTF gradiometer.
    """
    position = re.fullmatch(r"M[LRZ]([A-Z])\d\d(-\d+)?", sensor)
    if not position or position[1] not in _MEG_LOBES:
        expected = f"M, then L, R or Z, then one of {', '.join(_MEG_LOBES)}, then two digits"
        raise InputError(
            f"sensor {sensor}", "a name that tells no lobe", expected, "read the sensors of the released epochs only"
        )
    return _MEG_LOBES[position[1]]


def sensor_rois(lobes: Sequence[str]) -> pd.DataFrame:
    """Membership of every channel in :data:`ROIS`: one boolean column each, one row per entry of ``lobes``."""
    lobes = np.asarray(lobes)
    rois = {lobe: lobes == lobe for lobe in LOBES}
    rois["occipital_parietal"] = rois["occipital"] | rois["parietal"]
    rois["whole_brain"] = np.ones(len(lobes), bool)
    return pd.DataFrame(rois)


def sample_times(tmin: float, tmax: float, recorded_rate: float, rate: float, crop_from: float | None) -> np.ndarray:
    """Times (s) of the samples that :func:`epoch_blocks` gives, as MNE labels them.

    Resampling loses the last sample of a closed interval, and moves the others by less than half a sample: responses of
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
    """Epochs of the EEG channels, a block at a time, so that memory does not grow with the number of events.

    Epochs -> resampled -> baseline subtracted -> cropped, each by MNE. A block gives the same bits as all epochs at once.

    Args:
        raw: at its recorded rate; not loaded data is read block by block.
        samples: (n,) onsets counted from the first sample of ``raw``, 0-based and all different.
        where: what an error names, usually the file.
        baseline: window (s) whose mean is subtracted, before the resampling if ``baseline_first``.
        crop_from: earliest time (s) to keep; None keeps all.

    Yields:
        The slice of events, and their responses (events, channels, times) float32 in MNE's unit (V).

    Raises:
        InputError: an epoch that does not lie within the recording, or two events at one sample.
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


class Averages:
    """Running averages over the trials of an image, for trials that come in blocks.

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
        """(images, channels, times) float32, nan for images without a trial. The sums are gone afterwards."""
        averages, self._sums = self._sums, None
        with np.errstate(invalid="ignore"):
            averages /= self.counts[:, None, None].astype(np.float32)
        return averages


def trial_ncsnr(trials: np.ndarray, image: np.ndarray, session: np.ndarray, *, zscore: bool) -> np.ndarray:
    """Noise-ceiling signal-to-noise ratio of every channel and time (Allen et al. 2022), one channel at a time.

    Args:
        trials: (n, channels, times) single trials of the test images.
        image: (n,) which image was shown.
        session: (n,) the session, or the repetition, within which a trial is z-scored.
        zscore: z-score across the trials of each session first (ddof 0), as the authors of THINGS-MEG do: offsets and
            gains that differ between sessions then do not count as noise.

    Returns:
        (channels, times) float64; nan where the trials (z-scored: those of one session) have no variance.
    """
    sessions = [np.flatnonzero(session == name) for name in np.unique(session)] if zscore else [np.arange(len(trials))]
    ncsnr = np.empty(trials.shape[1:])
    for channel in range(trials.shape[1]):
        responses = trials[:, channel].astype(np.float64)
        constant = np.zeros(responses.shape[1], bool)
        for rows in sessions:
            part = responses[rows] - responses[rows[0]]  # equal numbers differ by an exact 0, not by the rounding of a mean
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
    notes: dict,
) -> Recording:
    """The Recording of one subject. Units are the (channel, time) pairs with a noise ceiling above ``min_nc_percent`` and 0.

    Args:
        channels, lobes: (channels,) names, and one of :data:`LOBES` each.
        times: (times,) s from the onset of the stimulus.
        train, test: (n, channels, times) float32, averaged over trials. Selecting units overwrites them, so that no
            second copy is made.
        train_repetitions, test_repetitions: (n,) trials averaged.
        ncsnr: (channels, times) of the test trials; nan where there is none.

    Returns:
        Recording with the unit columns ``unit`` (``Oz@120ms``), ``channel``, ``time``, ``ncsnr`` and ``nc_percent``.
        ``screening`` has all pairs.

    Raises:
        InputError: no pair passes, or a response is not finite.
    """
    n_channels, n_times = ncsnr.shape
    nc_percent = noise_ceiling_percent(ncsnr.ravel(), test_repetitions)
    keep = nc_percent > max(min_nc_percent, 0)  # false for nan
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
    """The kept (channel, time) columns of (n, channels, times), moved to the front of the same memory."""
    responses = np.ascontiguousarray(responses, dtype=np.float32).reshape(len(responses), -1)
    width, memory = int(keep.sum()), responses.reshape(-1)
    for first in range(0, len(responses), block):
        rows = responses[first : first + block][:, keep]  # a copy; it lands where these rows or earlier ones were
        memory[first * width : first * width + rows.size] = rows.ravel()
    return memory[: len(responses) * width].reshape(len(responses), width)
