"""A simulated brain with known truth: the code of each visual area, the responses of its units, and their noise.

The code of an area has few dimensions: the leading principal components of a feature space of images. Every unit reads a random
mixture of these components. Such a code can be learned from a few hundred trials, so a model that has the features of this space
reaches the noise ceiling. If another model is below the ceiling, the reason is its features and not scarce data.
"""

from dataclasses import dataclass

import numpy as np

_WAVELENGTHS = (4.0, 8.0)  # in pixels; the textures of objects have the longer wavelength
_ORIENTATIONS = 4
_POOL = 4  # side, in pixels, of the square over which a complex cell pools
_OPPONENTS = np.array([[1, -1, 0], [-0.5, -0.5, 1]])  # red-green, blue-yellow
_CHUNK = 500


def gabor_energy(images: np.ndarray) -> np.ndarray:
    """Return the feature space of the early area: responses of complex cells and averaged colours.

    Complex cells respond with the contrast amplitude of quadrature Gabor pairs on luminance (Adelson & Bergen 1985, J. Opt. Soc.
    Am. A 2, 284), at 2 wavelengths x 4 orientations. There are two opponent colours. Responses and colours are averaged over 4 x
    4 pixels. Filters wrap around the border. Images are uint8 (n, size, size, 3), and the result is float32 (n, 10 (size / 4)^2).
    """
    size = images.shape[1]
    filters = _gabor_bank(size)
    features = []
    for start in range(0, len(images), _CHUNK):
        rgb = images[start : start + _CHUNK].astype(np.float32) / 255
        luminance = rgb.mean(axis=-1)
        spectrum = np.fft.fft2(luminance - luminance.mean(axis=(1, 2), keepdims=True))
        maps = [np.abs(np.fft.ifft2(spectrum * gabor)) for gabor in filters] + list(np.moveaxis(rgb @ _OPPONENTS.T, -1, 0))
        pooled = np.stack(maps, axis=1).reshape(len(rgb), len(maps), size // _POOL, _POOL, size // _POOL, _POOL).mean(axis=(3, 5))
        features.append(pooled.reshape(len(rgb), -1).astype(np.float32))
    return np.concatenate(features)


def _gabor_bank(size: int) -> np.ndarray:
    """Return the spectra (filters, size, size) of complex Gabors.

    The spectra are one-sided, so real and imaginary parts are in quadrature.
    """
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    bank = []
    for wavelength in _WAVELENGTHS:
        for angle in np.pi * np.arange(_ORIENTATIONS) / _ORIENTATIONS:
            distance = np.hypot(fx - np.cos(angle) / wavelength, fy - np.sin(angle) / wavelength)
            bank.append(2 * np.exp(-0.5 * (distance * wavelength / 0.3) ** 2))
    return np.stack(bank)


@dataclass(frozen=True)
class AreaCode:
    """The code of a visual area."""

    mean: np.ndarray  # (p,) mean of the feature space over the images from which the code was found
    components: np.ndarray  # (p, k) leading principal components
    variance: np.ndarray  # (k,) variance of these images along each component, in descending order

    @classmethod
    def find(cls, features: np.ndarray, dimensions: int) -> "AreaCode":
        """Find the code of an area from features (n, p) of images. ``dimensions`` must be below n and at most p."""
        centred = features.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        values, vectors = np.linalg.eigh(centred @ centred.T)
        scores = vectors[:, : -dimensions - 1 : -1]
        components = centred.T @ scores / np.sqrt(values[: -dimensions - 1 : -1])
        largest = np.abs(components).argmax(axis=0)
        components *= np.sign(components[largest, np.arange(dimensions)])  # the sign of an eigenvector is arbitrary
        return cls(mean, components, values[: -dimensions - 1 : -1] / len(features))

    def latent(self, features: np.ndarray) -> np.ndarray:
        """Return the coordinates (n, k) that images with features (n, p) have in the code."""
        return (features - self.mean) @ self.components

    def mixtures(self, latent: np.ndarray, n_units: int, seed: int) -> np.ndarray:
        """Return noise-free responses (n, n_units) to images with the coordinates ``latent`` (n, k).

        Each unit weighs the components at random. The leading components vary most over the images, and are not scaled down.
        Units therefore differ, but share mostly the leading components, as in cortex. The variance of a unit over the images from
        which the code was found is 1.
        """
        weights = np.random.default_rng(seed).normal(size=(len(self.variance), n_units))
        return latent @ (weights / np.sqrt(self.variance @ weights**2))


def ncsnr_of_ceiling(nc_percent: np.ndarray, repetitions: int) -> np.ndarray:
    """Return the ncsnr (units,) of single trials whose averages over ``repetitions`` have the given noise ceilings."""
    fraction = np.asarray(nc_percent) / 100
    return np.sqrt(fraction / ((1 - fraction) * repetitions))


def noisy_trials(signal: np.ndarray, shown: np.ndarray, ncsnr: np.ndarray, seed: int) -> np.ndarray:
    """Return float32 single trials (trials, units), which are signal plus independent noise, with unit variance.

    ``signal`` (images, units) has unit variance. ``shown`` says for each trial which row of ``signal`` its image has. ``ncsnr``
    is (units,).
    """
    scale = np.sqrt(1 + np.square(ncsnr))
    noise = np.random.default_rng(seed).standard_normal((len(shown), signal.shape[1]), dtype=np.float32)
    return ((signal * (ncsnr / scale))[shown] + noise / scale).astype(np.float32)
