"""A simulation of the V4 session of Cowley et al.: spike counts of V4 units, with fewer trials of some images, and a zip."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt

from cortexscale.datasets.cowley2023 import reader as cowley2023
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.simulation.assembly import png
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import World

AREAS = {"V4": "middle"}

_SIDE = 64  # in pixels; released images have 112
_MEAN, _GAIN = 4.0, 1.0  # spikes in 100 ms, and their standard deviation over images


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment."""

    images: int = Field(ge=10, description="Number of images.")
    units: PositiveInt = Field(description="Number of units.")
    fewest: int = Field(ge=2, description="Smallest number of trials of an image.")
    trials: int = Field(ge=2, description="Largest number of trials of an image.")


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the zip of images and the array of spike counts, and yield the truth of each of ``subjects``.

    Counts are drawn from Poisson distributions. Their expected values are the signal.
    """
    rng = np.random.default_rng([seed, 0])
    names = write_images(root / cowley2023.IMAGES, settings.images, seed)
    latents = world.look_at("zip", root / cowley2023.IMAGES)
    signal = world.brain.signal(latents, [AREAS["V4"]] * settings.units, seed)
    rates = np.maximum(_MEAN + _GAIN * signal, 0.05)  # (images, units)
    repetitions = rng.integers(settings.fewest, settings.trials, len(names), endpoint=True)
    repetitions[0] = settings.trials
    counts = rng.poisson(rates[..., None], (*rates.shape, settings.trials)).astype(np.float64)
    counts[np.broadcast_to(np.arange(settings.trials) >= repetitions[:, None, None], counts.shape)] = np.nan
    np.save(root / cowley2023.RESPONSES, counts.transpose(1, 0, 2))

    options = cowley2023.Options()
    test = np.arange(len(names)) % options.every == options.first
    ncsnr = rates[test].std(axis=0, ddof=1) / np.sqrt(rates[test].mean(axis=0))
    units = pd.DataFrame(
        {
            "unit": [f"unit{number:04d}" for number in range(1, settings.units + 1)],
            "nc_percent": noise_ceiling_percent(ncsnr, repetitions[test]),
        }
    )
    rois = pd.DataFrame({"V4": np.ones(settings.units, bool)})
    train, test_split = (Split(names[part], rates[part].astype(np.float32), repetitions[part]) for part in (~test, test))
    for subject in subjects:
        yield subject, Recording("cowley2023", subject, train, test_split, units, rois).check()


def write_images(path: Path, count: int, seed: int) -> np.ndarray:
    """Write a zip of images as the release has it, and return their names, (images,) str. The content of the images is PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = np.array([f"image{number:04d}.jpg" for number in range(1, count + 1)])
    with zipfile.ZipFile(path, "w") as archive:
        for name, image in zip(names, render(count, seed, _SIDE)[0], strict=True):
            archive.writestr(zipfile.ZipInfo(str(name)), png(image)[0])  # a ZipInfo has a fixed date
    return names
