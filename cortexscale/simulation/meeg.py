"""Evoked responses with known truth for simulated EEG and MEG recordings.

Responses are made on a grid of 100 Hz, the rate to which readers resample. They are then interpolated to the recorded rate by the
Fourier method. The signal is band-limited below 50 Hz, so the anti-aliasing filter does not change it.
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
"""Lobe -> waves of every channel over the lobe. A wave has the area whose code it carries, a latency (s) and a width (s, standard
deviation of a Gaussian). Channels over other lobes record no signal. The waves of a channel are 150 ms apart. If images
follow each other every 100 ms, their responses overlap little at the peak of a wave."""


def evoked(
    brain: VisualSystem, latents: dict[str, np.ndarray], lobes: Sequence[str], times: np.ndarray, *, seed: int
) -> np.ndarray:
    """Return noise-free float32 responses (n, channels, times) to images. ``lobes`` has the lobe of each channel.

    Each wave of a channel is a random mixture of the dimensions of an area's code, times a Gaussian in time. The mean over images
    is subtracted, because it carries no information. The variance at the peak of a wave is about 1. ``latents`` come from
    ``brain.look`` and are (n, dimensions) for each area. ``times`` are in s from the onset. Before the onset, responses are 0.
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
    """Return a noise-free float32 recording (channels, n_samples) on the grid, in which responses overlap.

    ``signal`` is (images, channels, times) on the grid, from the onset. ``shown`` has the image of each trial, and ``onsets`` the
    grid sample of its onset. Responses are cut off at the end of the recording.
    """
    recording = np.zeros((signal.shape[1], n_samples), dtype=np.float32)
    for image, onset in zip(shown, onsets, strict=True):
        stretch = recording[:, onset : onset + signal.shape[2]]
        stretch += signal[image, :, : stretch.shape[1]]
    return recording


def interpolate(recording: np.ndarray, factor: int) -> np.ndarray:
    """Interpolate a recording (..., samples) on the grid to ``factor`` x 100 Hz. The samples of the grid are kept."""
    from scipy.signal import resample

    return resample(recording, factor * recording.shape[-1], axis=-1)


def resampled_instants(tmin: float, tmax: float, recorded_rate: int) -> np.ndarray:
    """Return the true times (s) of samples that MNE's ``Epochs.resample`` labels as tmin, tmin + 10 ms ...

    MNE pads an epoch to a power of two. At the lower rate, it rounds the padding and the length to whole samples. Epochs of 1001
    samples at 1000 Hz are therefore 3.5 to 4.5 ms late, and epochs of 281 samples at 200 Hz are 5 ms early.
    """
    recorded = round(tmax * recorded_rate) - round(tmin * recorded_rate) + 1
    padded = 2 ** int(np.ceil(np.log2(recorded + 2 * min(recorded // 8, 100))))
    before = (padded - recorded) // 2
    ratio = RATE / recorded_rate
    grid = round(ratio * before) + np.arange(round(ratio * recorded))
    return tmin + (grid * padded / round(ratio * padded) - before) / recorded_rate


def trial_noise(signal: np.ndarray, noise_variance: np.ndarray | float, *, soa: int, length: int, baseline: int) -> np.ndarray:
    """Return the part of the variance of a trial (channels, times) that its own image does not cause.

    The causes are white noise on the grid, and responses to other images of the random sequence. Subtracting a baseline adds
    variance from both causes. The result is exact except for terms of the order of 1 / images, because neighbours are drawn
    without replacement.

    Args:
        signal: (images, channels, times) on the grid, from the onset. Images follow each other in random order.
        noise_variance: variance of the white noise on the grid, one number or (channels,).
        soa: number of grid samples between onsets.
        length: number of images in a sequence. Sequences are too far apart to overlap.
        baseline: number of grid samples whose mean is subtracted. The last of these samples is at the onset. With 0, no baseline
            is subtracted.
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
        # These are times of this trial and its baseline, relative to the onset of the image that came `neighbour` images later.
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
    """Return the noise ceiling (channels, times), in percent of variance, of the average of ``repetitions`` trials.

    ``signal`` is (test images, channels, times). ``noise`` (channels, times) is the variance of the noise of one trial.
    """
    variance = signal.var(axis=0)
    return 100 * variance / (variance + noise / repetitions)
