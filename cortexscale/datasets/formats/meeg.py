"""Code that EEG and MEG readers share: sensor groups, resampled epochs, and noise ceilings of (channel, time) pairs."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt, model_validator

from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.recording import Recording, Split

if TYPE_CHECKING:
    import mne

LOBES = ("occipital", "parietal", "temporal", "frontal", "central")
ROIS = (*LOBES, "occipital_parietal", "whole_brain")

Lobe = Literal["central", "parietal"]  # lobes to which centro-parietal channels can be assigned

MICROVOLT = 1e-6  # one microvolt in volts; MNE uses volts, and recordings are in microvolts

_EEG_LOBES = {
    **dict.fromkeys(("O", "PO"), "occipital"),
    "P": "parietal",
    **dict.fromkeys(("FT", "TP", "T"), "temporal"),
    **dict.fromkeys(("FC", "CP", "C"), "central"),
    **dict.fromkeys(("AF", "FP", "F"), "frontal"),
}
_MEG_LOBES = {lobe[0].upper(): lobe for lobe in LOBES}


def eeg_lobe(channel: str, cp: Lobe = "central") -> str:
    """Return the lobe of a channel of the 10-10 system, in upper or lower case. Any other name raises an InputError.

    ``cp`` is the lobe of centro-parietal channels (CP3 ...), which the authors of the datasets do not state.
    """
    position = re.fullmatch(r"([A-Z]+?)(Z|\d{1,2})", channel.upper())
    if not position or position[1] not in _EEG_LOBES:
        expected = f"a name of the 10-10 system: {', '.join(_EEG_LOBES)} and a number or z"
        raise InputError(f"channel {channel}", "a name without a lobe", expected, "drop the channel before it is grouped")
    return cp if position[1] == "CP" else _EEG_LOBES[position[1]]


def meg_lobe(sensor: str) -> str:
    """Return the lobe of a CTF sensor such as ``MLO11-1609``. A name without a lobe raises an InputError."""
    position = re.fullmatch(r"M[LRZ]([A-Z])\d\d(-\d+)?", sensor)
    if not position or position[1] not in _MEG_LOBES:
        expected = f"M, then L, R or Z, then one of {', '.join(_MEG_LOBES)}, then two digits"
        remedy = "read the sensors of the released epochs only"
        raise InputError(f"sensor {sensor}", "a name without a lobe", expected, remedy)
    return _MEG_LOBES[position[1]]


def sensor_rois(lobes: np.ndarray) -> pd.DataFrame:
    """Make a table with one row per entry of ``lobes``, and one boolean column per entry of :data:`ROIS`."""
    rois = pd.DataFrame({lobe: lobes == lobe for lobe in LOBES})
    return rois.assign(occipital_parietal=rois["occipital"] | rois["parietal"], whole_brain=True)


class EpochOptions(BaseModel, extra="forbid"):
    """Options of a reader that cuts epochs from a continuous EEG recording. The defaults are those of the paper."""

    centroparietal: Lobe = Field("central", description="Lobe to which channels CP* are assigned. The paper does not say which.")
    tmin: float = Field(-0.2, description="Start of the epoch that is cut out, in s from stimulus onset.")
    tmax: float = Field(0.8, description="End of the epoch that is cut out, in s from stimulus onset.")
    baseline: tuple[float, float] = Field(
        (-0.2, 0.0),
        description="Start and end of the baseline, in s from stimulus onset. The mean over this interval is subtracted.",
    )
    crop_from: float | None = Field(
        0,
        description="Earliest time that is kept, in s from stimulus onset. With null all times are kept, and so are units that "
        "record nothing but noise.",
    )
    rate: PositiveInt = Field(
        100, description="Sampling rate of the responses, in Hz. Resampling in MNE includes the anti-aliasing filter."
    )
    zscore: bool = Field(
        True,
        description="Z-score test trials within each session or repetition before the noise ceiling is estimated. The paper "
        "does not say whether it does.",
    )
    min_nc_percent: float = Field(
        1, ge=0, lt=100, description="Keep units whose noise ceiling is above this value, in percent of variance."
    )

    @model_validator(mode="after")
    def _intervals_fit(self) -> Self:
        (first, last), earliest = self.baseline, self.tmin if self.crop_from is None else self.crop_from
        if not self.tmin <= first < last <= self.tmax or not self.tmin <= earliest < self.tmax:
            raise ValueError("the baseline and crop_from lie within tmin to tmax")
        return self

    def times(self, recorded_rate: float) -> np.ndarray:
        """Return the times (s) of the samples of :func:`cut_epochs`, with MNE's labels.

        Resampling drops the last sample of a closed interval and moves the others by less than half a sample. Responses of
        THINGS-EEG1 and THINGS-EEG2 (1001 samples at 1000 Hz) appear about 4 ms late. Responses of THINGS-MEG (281 samples at 200
        Hz) appear 5 ms early.
        """
        recorded = round(self.tmax * recorded_rate) - round(self.tmin * recorded_rate) + 1
        times = np.round(self.tmin + np.arange(round(recorded * self.rate / recorded_rate)) / self.rate, 6)
        return times if self.crop_from is None else times[times >= self.crop_from - 0.5 / self.rate]


def require_epochs(where: object, onsets: np.ndarray, n_samples: int, rate: float, options: EpochOptions) -> None:
    """Raise an InputError unless all epochs are within the recording and have different onsets."""
    outside = (onsets + round(options.tmin * rate) < 0) | (onsets + round(options.tmax * rate) >= n_samples)
    if outside.any():
        raise InputError(
            where,
            f"{outside.sum():,} of {len(onsets):,} epochs beyond the recording, the first at sample {onsets[outside][0]:,}",
            f"{options.tmin:g} to {options.tmax:g} s around every onset within {n_samples:,} samples",
            "the recording or its events are cut short, or do not belong together: fetch them again",
        )
    if len(np.unique(onsets)) < len(onsets):
        raise InputError(where, "two events at one sample", "one event per onset", "fetch the events again")


def cut_epochs(raw: "mne.io.BaseRaw", onsets: np.ndarray, options: EpochOptions, *, baseline_first: bool) -> np.ndarray:
    """Cut EEG epochs with MNE, resample them, subtract their baseline, and crop them.

    The result is float32 (n, channels, times) in V. ``onsets`` are samples of ``raw``, counted from 0. Unless ``baseline_first``,
    the baseline is subtracted after resampling.
    """
    import mne

    onsets = onsets + raw.first_samp
    epochs = mne.Epochs(
        raw,
        np.column_stack([onsets, np.zeros_like(onsets), np.ones_like(onsets)]),
        tmin=options.tmin,
        tmax=options.tmax,
        baseline=options.baseline if baseline_first else None,
        picks="eeg",
        preload=True,
        reject_by_annotation=False,
        on_outside="raise",
        verbose="error",
    )
    epochs.resample(options.rate, verbose="error")
    if not baseline_first:
        epochs.apply_baseline(options.baseline, verbose="error")
    epochs.crop(options.crop_from, None, verbose="error")
    return epochs.get_data(copy=False).astype(np.float32)


def average_trials(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], n_images: int, size: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Average the trials of each image. A block has images (n,) and their trials (n, channels, times).

    Return float32 averages (images, channels, times), which are nan for an image without a trial, and numbers of trials
    (images,).
    """
    averages, counts = np.zeros((n_images, *size), dtype=np.float32), np.zeros(n_images, dtype=int)
    for images, trials in blocks:
        for image, trial in zip(images, trials, strict=True):
            averages[image] += trial
            counts[image] += 1
    with np.errstate(invalid="ignore"):
        averages /= counts[:, None, None].astype(np.float32)
    return averages, counts


def trial_ncsnr(trials: np.ndarray, image: np.ndarray, session: np.ndarray, *, zscore: bool) -> np.ndarray:
    """Estimate the ncsnr of every channel and time (Allen et al. 2022), one channel at a time.

    ``trials`` are (n, channels, times). Each trial has an image and a session (or repetition). With ``zscore``, they are first
    z-scored over each session (ddof 0), as the authors of THINGS-MEG do. Differences in offset and gain between sessions are then
    not noise. The result is nan if all trials are equal. With ``zscore``, it is also nan if all trials of one session are equal.
    """
    sessions = [np.flatnonzero(session == name) for name in np.unique(session)] if zscore else [np.arange(len(trials))]
    ncsnr = np.empty(trials.shape[1:])
    for channel in range(trials.shape[1]):
        responses = trials[:, channel].astype(np.float64)
        constant = np.zeros(responses.shape[1], bool)
        for rows in sessions:
            part = responses[rows] - responses[rows[0]]  # equal numbers then deviate by exactly 0
            constant |= ~part.any(axis=0)
            if zscore:
                with np.errstate(invalid="ignore"):
                    responses[rows] = (part - part.mean(axis=0)) / part.std(axis=0)
        ncsnr[channel] = np.where(constant, np.nan, ncsnr_from_trials(responses, image, zscored=zscore))
    return ncsnr


def permuted_ncsnr(trials: np.ndarray, image: np.ndarray, session: np.ndarray, *, zscore: bool) -> np.ndarray:
    """Estimate ncsnr as :func:`trial_ncsnr`, after the images of the trials of each session were permuted. The result contains
    only noise."""
    rng, shuffled = np.random.default_rng(0), image.copy()
    for name in np.unique(session):
        rows = np.flatnonzero(session == name)
        shuffled[rows] = image[rng.permutation(rows)]
    return trial_ncsnr(trials, shuffled, session, zscore=zscore)


def build_recording(
    dataset: str,
    subject: str,
    train: Split,
    test: Split,
    lobes: Mapping[str, str],
    times: np.ndarray,
    ncsnr: np.ndarray,
    min_nc_percent: float = 1,
    notes: dict[str, Any] | None = None,
    permuted: np.ndarray | None = None,
) -> Recording:
    """Build the recording of one subject.

    Units are (channel, time) pairs with a noise ceiling above ``min_nc_percent`` and above 0. The unit columns are ``unit``
    (``Oz@120ms``), ``channel``, ``time``, ``ncsnr`` and ``nc_percent``. ``screening`` has all pairs. An InputError is raised if
    no pair passes.

    Args:
        train: responses (n, channels, times). To save memory, the selection of units overwrites the responses of ``train`` and
            ``test``.
        lobes: lobe of each channel, one of :data:`LOBES`, in the order of the responses.
        times: (times,) in s from stimulus onset.
        ncsnr: (channels, times), from the test trials; nan if undefined.
        permuted: (channels, times), from :func:`permuted_ncsnr`. If given, the note ``kept_by_chance`` has the number of units
            that pass with these values, divided by the number of kept units (at most 1).
    """
    nc_percent = noise_ceiling_percent(ncsnr.ravel(), test.repetitions)
    keep = nc_percent > max(min_nc_percent, 0)  # False for nan
    if not keep.any():
        best = f"the best has {np.nanmax(nc_percent):.2g} %" if np.isfinite(nc_percent).any() else "none has a ceiling at all"
        raise InputError(
            f"dataset {dataset}, subject {subject}",
            f"no channel and time of {keep.size:,} with a noise ceiling above {min_nc_percent:g} %; {best}",
            "noise ceilings above `min_nc_percent`",
            "lower `min_nc_percent`, or leave this subject out of `subjects`",
        )
    notes = dict(notes or {})
    if permuted is not None:
        by_chance = noise_ceiling_percent(permuted.ravel(), test.repetitions) > max(min_nc_percent, 0)
        notes["kept_by_chance"] = min(1.0, float(by_chance.sum() / keep.sum()))
    rois = sensor_rois(np.repeat([*lobes.values()], len(times)))
    names = [f"{channel}@{round(1000 * time)}ms" for channel in lobes for time in times]
    pairs = pd.DataFrame({"unit": names, "channel": np.repeat([*lobes], len(times)), "time": np.tile(times, len(lobes))})
    pairs["ncsnr"], pairs["nc_percent"] = ncsnr.ravel(), nc_percent
    return Recording(
        dataset,
        subject,
        Split(train.stimulus_ids, _columns(train.responses, keep), train.repetitions),
        Split(test.stimulus_ids, _columns(test.responses, keep), test.repetitions),
        pairs[keep].reset_index(drop=True),
        rois[keep].reset_index(drop=True),
        notes,
        pd.concat([pairs.drop(columns="ncsnr").assign(kept=keep), rois], axis=1),
    ).check()


def _columns(responses: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Move the kept columns of (n, channels, times) to the front of the same memory, and return them."""
    responses = np.ascontiguousarray(responses, dtype=np.float32).reshape(len(responses), -1)
    width, memory = int(keep.sum()), responses.reshape(-1)
    for first in range(0, len(responses), 500):
        rows = responses[first : first + 500][:, keep]  # these rows are a copy; it overwrites the same or earlier rows
        memory[first * width : first * width + rows.size] = rows.ravel()
    return memory[: len(responses) * width].reshape(len(responses), width)
