"""Noise ceilings from repeated trials (Allen et al. 2022, Nature Neuroscience 25, Methods, "noise ceiling estimation").

The response of a unit in a trial is modelled as a signal plus independent noise; the signal depends only on the stimulus. ncsnr
is the standard deviation of the signal divided by the standard deviation of the noise. The noise ceiling is the percentage of the
variance of trial averages that is signal. It bounds explained variance, and its square root bounds Pearson r.
"""

import numpy as np

_BLOCK_VALUES = 2**22
"""Number of float64 values in one block of units. A block takes 32 MB, and there are about four arrays of this size at a time."""


def ncsnr_from_trials(trials: np.ndarray, stimulus: np.ndarray, *, zscored: bool = False) -> np.ndarray:
    """Compute ncsnr (units,) float64 from ``trials`` (trials, units) and the ``stimulus`` of each trial (trials,).

    The noise variance is the variance over repetitions, pooled over stimuli by degrees of freedom. Stimuli may thus have
    different numbers k of repetitions. The signal variance is the variance of the stimulus means minus the noise that remains
    in them, which is noise variance x mean(1 / k). A negative signal variance counts as 0. For ``zscored`` units, the signal
    variance is 1 - noise variance, as in NSD's released ncsnr. ncsnr is 0 for a unit without any variance, inf for a unit with
    identical repetitions, and nan for a unit with a trial that is not finite.
    """
    trials = np.asarray(trials)
    if len(stimulus) != len(trials):
        raise ValueError(f"{len(trials)} trials but {len(stimulus)} stimulus labels")
    _, stimulus, counts = np.unique(stimulus, return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.max() < 2:
        found = f"{len(trials)} trials of {len(counts)} stimuli"
        raise ValueError(f"a noise ceiling needs two stimuli, of which one is repeated; got {found}")
    order = np.argsort(stimulus, kind="stable")
    starts = np.cumsum(counts) - counts
    counts_column = counts[:, None]

    ncsnr = np.empty(trials.shape[1])
    width = max(1, _BLOCK_VALUES // len(trials))
    for first in range(0, trials.shape[1], width):
        block = slice(first, first + width)
        sorted_trials = trials[:, block][order].astype(np.float64)
        # The first trial of its stimulus is subtracted from each trial. The first trial of the first stimulus is subtracted from
        # the first trials. Identical numbers then differ by exactly 0 and not by the rounding of their mean.
        anchor = sorted_trials[starts]
        deviation = sorted_trials - np.repeat(anchor, counts, axis=0)
        mean_deviation = np.add.reduceat(deviation, starts) / counts_column
        deviation -= np.repeat(mean_deviation, counts, axis=0)
        noise = np.square(deviation).sum(axis=0) / (counts - 1).sum()
        if zscored:
            signal = 1 - noise
        else:
            signal = (anchor - anchor[0] + mean_deviation).var(axis=0, ddof=1) - noise * np.mean(1 / counts)
        signal = np.maximum(signal, 0)  # keeps nan
        with np.errstate(divide="ignore", invalid="ignore"):
            ncsnr[block] = np.where((signal == 0) & (noise == 0), 0.0, np.sqrt(signal / noise))
    return ncsnr


def ncsnr_from_repetitions(repetitions: np.ndarray, *, zscored: bool = False) -> np.ndarray:
    """Compute ncsnr as :func:`ncsnr_from_trials`, from ``repetitions`` (R, stimuli, units) with R trials of every stimulus."""
    n_repetitions, n_stimuli, n_units = repetitions.shape
    stimulus = np.tile(np.arange(n_stimuli), n_repetitions)
    return ncsnr_from_trials(repetitions.reshape(-1, n_units), stimulus, zscored=zscored)


def noise_ceiling_percent(ncsnr: np.ndarray, repetitions: np.ndarray | int) -> np.ndarray:
    """Compute the noise ceiling of trial averages in percent of variance, 100 ncsnr^2 / (ncsnr^2 + mean(1 / k)).

    ``repetitions`` is the number of trials k, or has one k for each scored stimulus. An infinite ncsnr (units,) gives 100, and
    nan stays nan.
    """
    ncsnr = np.asarray(ncsnr, dtype=np.float64)
    repetitions = np.asarray(repetitions)
    if repetitions.size == 0 or (repetitions < 1).any():
        raise ValueError("every scored stimulus needs at least one trial")
    if (ncsnr < 0).any():
        raise ValueError(f"ncsnr is a ratio of standard deviations and cannot be negative; the smallest is {np.nanmin(ncsnr):g}")
    with np.errstate(divide="ignore", over="ignore"):
        return 100 / (1 + np.mean(1 / repetitions) / np.square(ncsnr))
