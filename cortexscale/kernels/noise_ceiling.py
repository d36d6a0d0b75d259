"""Noise ceilings from repeated trials (Allen et al. 2022, Nature Neuroscience 25, Methods, "noise ceiling estimation").

The response of a unit in a trial is modelled as a signal, fixed by the stimulus, plus independent noise. ncsnr is the standard
deviation of the signal over that of the noise. Where k trials are averaged, the noise ceiling is the percentage of the variance
of the average that is signal. It bounds explained variance; its square root bounds Pearson r.
"""

import numpy as np

_BLOCK_VALUES = 2**22
"""Number of float64 values in one block of units. A block takes 32 MB, and about four arrays of this size exist at a time."""


def ncsnr_from_trials(trials: np.ndarray, stimulus: np.ndarray, *, zscored: bool = False) -> np.ndarray:
    """Noise-ceiling signal-to-noise ratio (units,) float64, from ``trials`` (trials, units) and their ``stimulus`` (trials,).

    The noise variance is the variance over repetitions, pooled over stimuli by degrees of freedom, so stimuli may have different
    numbers k of repetitions. The signal variance is the variance of the stimulus means minus the noise that remains in them,
    noise variance x mean(1 / k), clipped at 0. For ``zscored`` units it is 1 - noise variance, as in NSD's released ncsnr. A unit
    without any variance has 0, one whose repetitions are identical has inf, and one with a trial that is not finite has nan.
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
        # Trials are taken relative to the first trial of their stimulus, and first trials relative to that of the first stimulus,
        # so that identical numbers differ by exactly 0 and not by the rounding of their mean.
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
    """Compute :func:`ncsnr_from_trials` from ``repetitions`` (R, stimuli, units), where every stimulus has R trials."""
    n_repetitions, n_stimuli, n_units = repetitions.shape
    stimulus = np.tile(np.arange(n_stimuli), n_repetitions)
    return ncsnr_from_trials(repetitions.reshape(-1, n_units), stimulus, zscored=zscored)


def noise_ceiling_percent(ncsnr: np.ndarray, repetitions: np.ndarray | int) -> np.ndarray:
    """Noise ceiling of trial-averaged responses, in percent of variance: 100 ncsnr^2 / (ncsnr^2 + mean(1 / k)).

    k (``repetitions``) is one number of trials, or one per scored stimulus. An infinite ncsnr (units,) gives 100, nan stays nan.
    """
    ncsnr = np.asarray(ncsnr, dtype=np.float64)
    repetitions = np.asarray(repetitions)
    if repetitions.size == 0 or (repetitions < 1).any():
        raise ValueError("every scored stimulus needs at least one trial")
    if (ncsnr < 0).any():
        raise ValueError(f"ncsnr is a ratio of standard deviations and cannot be negative; the smallest is {np.nanmin(ncsnr):g}")
    with np.errstate(divide="ignore", over="ignore"):
        return 100 / (1 + np.mean(1 / repetitions) / np.square(ncsnr))
