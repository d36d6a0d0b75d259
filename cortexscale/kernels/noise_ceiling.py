"""Noise ceilings from repeated trials (Allen et al. 2022, Nature Neuroscience 25, Methods, "noise ceiling estimation").

A unit's response to a trial is modelled as signal (fixed by the image) plus independent noise. ncsnr is the ratio of
their standard deviations; the noise ceiling is the share of variance, in percent, that the signal has in an average of
k trials. It bounds explained variance; the bound of Pearson r is its square root.
"""

import numpy as np

_BLOCK_VALUES = 2**22
"""float64 values of one block of units: 32 MB, of which about four exist at a time."""


def ncsnr_from_trials(trials: np.ndarray, image: np.ndarray, *, zscored: bool = False) -> np.ndarray:
    """Noise-ceiling signal-to-noise ratio of every unit.

    The noise variance pools the variance over repetitions of all images, weighted by its degrees of freedom, so images
    may have different numbers of repetitions. The signal variance is the variance of the image means less the noise
    that is left in them, noise variance x mean(1 / k). It is clipped at 0.

    Args:
        trials: (trials, units) finite responses, any real dtype.
        image: (trials,) which image was shown; images shown once add to the signal variance only.
        zscored: the units were z-scored over (about) these trials, so that the total variance is 1 and the signal
            variance is 1 - noise variance. That is how NSD's released ncsnr was made.

    Returns:
        (units,) float64. A unit without any variance has 0, one whose repetitions are all identical has inf, and one
        with a non-finite trial has nan.

    Raises:
        ValueError: no image has two trials, fewer than two images, or ``image`` has another length than ``trials``.
    """
    trials = np.asarray(trials)
    if len(image) != len(trials):
        raise ValueError(f"{len(trials)} trials but {len(image)} image labels")
    _, image, counts = np.unique(image, return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.max() < 2:
        raise ValueError(f"a noise ceiling needs two images and a repeated one; got {len(trials)} trials of {len(counts)} images")
    order = np.argsort(image, kind="stable")
    starts = np.cumsum(counts) - counts
    counts_column = counts[:, None]

    ncsnr = np.empty(trials.shape[1])
    width = max(1, _BLOCK_VALUES // len(trials))
    for first in range(0, trials.shape[1], width):
        block = slice(first, first + width)
        sorted_trials = trials[:, block][order].astype(np.float64)
        # Deviations from each image's first trial, and of those from the first image's: identical numbers then differ
        # by an exact 0, not by the rounding of their mean.
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
    """:func:`ncsnr_from_trials` for ``repetitions`` (R, images, units), every image shown R times. Returns (units,)."""
    n_repetitions, n_images, n_units = repetitions.shape
    image = np.tile(np.arange(n_images), n_repetitions)
    return ncsnr_from_trials(repetitions.reshape(-1, n_units), image, zscored=zscored)


def noise_ceiling_percent(ncsnr: np.ndarray, repetitions: np.ndarray | int) -> np.ndarray:
    """Noise ceiling of trial-averaged responses, in percent of variance: 100 ncsnr^2 / (ncsnr^2 + mean(1 / k)).

    Args:
        ncsnr: (units,) non-negative; inf gives 100, nan stays nan.
        repetitions: k, the trials averaged into each image: one number, or (images,) where they differ. Only the
            images that are scored belong here.

    Returns:
        (units,) float64 in [0, 100].

    Raises:
        ValueError: a k below 1, or a negative ncsnr.
    """
    ncsnr = np.asarray(ncsnr, dtype=np.float64)
    repetitions = np.asarray(repetitions)
    if repetitions.size == 0 or (repetitions < 1).any():
        raise ValueError("every scored image needs at least one trial")
    if (ncsnr < 0).any():
        raise ValueError(f"ncsnr is a ratio of standard deviations and cannot be negative; the smallest is {np.nanmin(ncsnr):g}")
    with np.errstate(divide="ignore", over="ignore"):
        return 100 / (1 + np.mean(1 / repetitions) / np.square(ncsnr))
