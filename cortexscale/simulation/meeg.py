"""Evoked responses with known truth, for simulated EEG and MEG recordings.

Everything is made on a grid of 100 Hz, the rate that the readers resample to, and interpolated to the recorded rate by
Fourier. The signal is band-limited below 50 Hz, so the anti-aliasing filter does not change it.
"""

from collections.abc import Sequence

import numpy as np

from cortexscale.simulation.visual_system import VisualSystem

RATE = 100  # Hz of the grid

WAVES = {
    "occipital": (("early", 0.10, 0.03), ("middle", 0.25, 0.04)),
    "parietal": (("middle", 0.15, 0.03), ("late", 0.30, 0.04)),
    "temporal": (("middle", 0.15, 0.03), ("late", 0.30, 0.04)),
}
"""Lobe -> the waves that its channels record: an area whose code they carry, its latency and its width (s, one sd of a Gaussian).
Channels over other lobes record no signal. The waves of one channel are 150 ms apart, so images that follow each other every
100 ms overlap little where a wave peaks."""


def evoked(
    brain: VisualSystem, latents: dict[str, np.ndarray], lobes: Sequence[str], times: np.ndarray, *, seed: int
) -> np.ndarray:
    """Return noise-free responses, (n, channels, times) float32, of channels over some lobes to images.

    Each channel reads a random mixture of the code in each of its waves, times a Gaussian in time. The mean over images is 0,
    because it carries no information, and the variance where a wave peaks is about 1. Images are given by ``brain.look`` as area
    -> (n, dimensions), and times in s from the onset, before which there is no response.
    """
    times = np.asarray(times)
    signal = np.zeros((len(next(iter(latents.values()))), len(lobes), len(times)), dtype=np.float32)
    for number in range(2):
        channels = [index for index, lobe in enumerate(lobes) if lobe in WAVES]
        waves = [WAVES[lobes[index]][number] for index in channels]
        mixtures = brain.signal(latents, [area for area, _, _ in waves], 10 * seed + number)
        mixtures -= mixtures.mean(axis=0)
        latency, width = (np.array([wave[column] for wave in waves])[:, None] for column in (1, 2))
        course = np.where(times >= 0, np.exp(-0.5 * np.square((times - latency) / width)), 0)
        signal[:, channels] += (mixtures[:, :, None] * course).astype(np.float32)
    return signal


def continuous(signal: np.ndarray, shown: np.ndarray, onsets: np.ndarray, n_samples: int) -> np.ndarray:
    """Return a noise-free recording, (channels, n_samples) float32 on the grid, of responses that follow and overlap.

    The ``signal`` is (images, channels, times) on the grid, from the onset. Each trial has an image (``shown``) and the grid
    sample of its onset. Responses beyond the end are lost.
    """
    recording = np.zeros((signal.shape[1], n_samples), dtype=np.float32)
    for image, onset in zip(shown, onsets, strict=True):
        stretch = recording[:, onset : onset + signal.shape[2]]
        stretch += signal[image, :, : stretch.shape[1]]
    return recording


def interpolate(recording: np.ndarray, factor: int) -> np.ndarray:
    """Interpolate a recording on the grid, (..., samples), to ``factor`` x 100 Hz; it keeps the samples of the grid."""
    from scipy.signal import resample

    return resample(recording, factor * recording.shape[-1], axis=-1)


def resampled_instants(tmin: float, tmax: float, recorded_rate: int) -> np.ndarray:
    """Return the true times (s) of the samples of an epoch that MNE's ``Epochs.resample`` labels tmin, tmin + 10 ms ...

    MNE pads an epoch to a power of two, and rounds the padding and the length at the lower rate to whole samples. That makes
    epochs of 1001 samples at 1000 Hz 3.5 to 4.5 ms late, and those of 281 samples at 200 Hz 5 ms early.
    """
    recorded = round(tmax * recorded_rate) - round(tmin * recorded_rate) + 1
    padded = 2 ** int(np.ceil(np.log2(recorded + 2 * min(recorded // 8, 100))))
    before = (padded - recorded) // 2
    ratio = RATE / recorded_rate
    grid = round(ratio * before) + np.arange(round(ratio * recorded))
    return tmin + (grid * padded / round(ratio * padded) - before) / recorded_rate


def trial_noise(signal: np.ndarray, noise_variance: np.ndarray | float, *, soa: int, length: int, baseline: int) -> np.ndarray:
    """Return the variance, (channels, times), of a trial in random sequences that is not due to its own image.

    It consists of white noise on the grid, of the responses to the other images of a sequence, and of what the subtraction of
    a baseline adds of both. It is exact except for terms of the order of 1 / images: neighbours are drawn without replacement.

    Args:
        signal: (images, channels, times) on the grid, from the onset; images follow each other in random order.
        noise_variance: variance of the white noise on the grid, one number or (channels,).
        soa: grid samples between onsets.
        length: images in a sequence. Sequences are too far apart to overlap.
        baseline: grid samples whose mean is subtracted, the last one at the onset; 0 for none.
    """
    n_channels, n_times = signal.shape[1:]
    noise = np.full((n_channels, n_times), 1 + (1 / baseline if baseline else 0))
    if baseline:
        noise[:, 0] = 1 - 1 / baseline  # the onset is part of the baseline
    noise *= np.broadcast_to(noise_variance, n_channels)[:, None]
    before = max(baseline - 1, 0)
    reach = (n_times + before) // soa + 1
    for neighbour in range(-reach, reach + 1):
        if neighbour == 0 or abs(neighbour) >= length:
            continue
        # Times of this trial, baseline included, relative to the onset of its neighbour, which came `neighbour` images later.
        own_time = np.arange(-before, n_times) - neighbour * soa
        seen = (own_time >= 0) & (own_time < n_times)
        if seen.any():
            response = np.zeros((len(signal), n_channels, n_times + before), dtype=np.float32)
            response[:, :, seen] = signal[:, :, own_time[seen]]
            if baseline:
                response -= response[:, :, :baseline].mean(axis=2, keepdims=True)
            noise += (1 - abs(neighbour) / length) * response[:, :, before:].var(axis=0)
    return noise


def true_ceiling(signal: np.ndarray, noise: np.ndarray, repetitions: int) -> np.ndarray:
    """Return the noise ceiling, (channels, times) in percent of variance, of the average of ``repetitions`` trials.

    The ``signal`` is (test images, channels, times), and ``noise`` the (channels, times) variance of the noise of one trial.
    """
    variance = signal.var(axis=0)
    return 100 * variance / (variance + noise / repetitions)
