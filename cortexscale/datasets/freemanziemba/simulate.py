"""A simulation of FreemanZiemba2013 in Brain-Score's format, with spike counts of V1 and V2 in bins of 1 ms."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt

from cortexscale.datasets.freemanziemba import reader as freemanziemba
from cortexscale.datasets.splits import stratified_test
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.simulation.assembly import fade_into_gray, luminance, png, write_assembly, write_stimuli
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import World

AREAS = {"V1": "early", "V2": "middle"}
FAMILIES = (327, 336, 393, 402, 13, 18, 23, 30, 38, 48, 52, 56, 60, 71, 99)
BINS = 300  # number of time bins of 1 ms

_SIDE = 64  # in pixels; released images have 320, and image names here also say 320
_TUNING = 0.35  # sd of a unit's rate over images, as a fraction of its mean
_SPIKES = (5, 16)  # mean number of spikes in the window, of the least and of the most active unit


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment."""

    samples: PositiveInt = Field(
        description="Number of images of each of the 15 families. Each image has two versions, a texture and noise."
    )
    repetitions: int = Field(ge=2, description="Number of repetitions of every image.")
    units: PositiveInt = Field(description="Number of active units in each area. One more unit of each area never fires.")


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the assembly, the stimulus CSV and the zip of images, and yield the truth of the pooled subject.

    Spikes are Poisson-distributed, with a rate that is linear in the code of the unit's area. The variance of spikes over trials
    equals their mean, so the variance of the rate over images gives the true noise ceiling.
    """
    responses, table = freemanziemba.RELEASE.files(root)
    rows, files = _textures(settings.samples, seed)
    write_stimuli(table, rows, files)
    latents = world.look_at("brainscore", table)

    rng = np.random.default_rng([seed, 1])
    regions = np.repeat(list(AREAS), settings.units + 1)
    signal = world.brain.signal(latents, [AREAS[region] for region in regions], seed)
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0, ddof=1)
    spikes = np.geomspace(*_SPIKES, settings.units)[rng.permutation(settings.units)]
    spikes = np.tile(np.append(spikes, 0), len(AREAS)) * np.maximum(1 + _TUNING * signal, 0.05)  # (images, units)
    ids = rows["image_id"].to_numpy(str)
    _write(responses, ids, regions, spikes, settings.repetitions, rng)

    live = spikes.any(axis=0)
    spikes, regions = spikes[:, live], regions[live]
    ceiling = noise_ceiling_percent(np.sqrt(spikes.var(axis=0, ddof=1) / spikes.mean(axis=0)), settings.repetitions)
    options = freemanziemba.Options()
    kinds = rows["texture_type"].to_numpy(str)
    is_test = stratified_test(ids, kinds, options.test_fraction, options.split_seed, str(table))
    order = np.argsort(ids)
    low, high = options.window
    train, test = (
        Split(ids[part], (spikes[part] / (high - low)).astype(np.float32), np.full(len(part), settings.repetitions))
        for part in (order[~is_test[order]], order[is_test[order]])
    )
    units = pd.DataFrame({"unit": (np.flatnonzero(live) + 1).astype(str), "nc_percent": ceiling})
    rois = pd.DataFrame({roi: regions == roi for roi in AREAS})
    for subject in subjects:
        yield subject, Recording("freemanziemba", subject, train, test, units, rois).check()


def _textures(samples: int, seed: int) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Make the CSV in the released order, and the content of each image file. Images fade into gray away from the centre."""
    gray = luminance(render(len(FAMILIES) * samples, seed, _SIDE)[0])
    kinds = {"noise": _phase_randomised(gray, np.random.default_rng([seed, 0])), "texture": gray}
    rows: list[dict[str, object]] = []
    files: dict[str, bytes] = {}
    for kind, whole in kinds.items():
        for index, image in enumerate(fade_into_gray(whole, edge=1)):
            family, sample = FAMILIES[index // samples], index % samples + 1
            content, id = png(image)
            name = f"{kind.replace('texture', 'tex')}-320x320-im{family}-smp{sample}.png"
            row = {"id": len(rows), "image_id": id, "image_file_sha1": id, "image_file_name": name, "texture_type": kind}
            row |= {"texture_family": family, "sample": sample, "resolution": "320x320"}
            row |= {"image_id_without_aperture": png(whole[index].round().astype(np.uint8))[1], "filename": name}
            rows.append(row)
            files[name] = content
    return pd.DataFrame(rows), files


def _phase_randomised(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace images (n, size, size) by noise of the same power spectrum, clipped to 0 ... 255."""
    mean = images.mean(axis=(1, 2), keepdims=True)
    phase = np.angle(np.fft.fft2(rng.normal(size=images.shape)))  # the result is real, because these are the phases of real noise
    noise = np.fft.ifft2(np.abs(np.fft.fft2(images - mean)) * np.exp(1j * phase)).real
    return np.clip(mean + noise, 0, 255)


def _write(
    path: Path, ids: np.ndarray, regions: np.ndarray, spikes: np.ndarray, repetitions: int, rng: np.random.Generator
) -> None:
    """Write the float64 assembly (neuroid, time_bin, presentation). All repetitions of one image follow each other directly."""
    time = np.arange(BINS)
    low, high = freemanziemba.Options().window
    inside = (time >= low) & (time < high)
    course = np.where(inside, 0.2 + np.exp(-0.5 * ((time - 100) / 30) ** 2), 0)
    course /= course.sum()

    def trials() -> Iterator[np.ndarray]:
        for unit in spikes.T:
            spontaneous = np.where(inside, 0, unit.mean() / BINS)
            rate = course[:, None] * unit + spontaneous[:, None]
            yield rng.poisson(np.repeat(rate, repetitions, axis=1))

    coordinates = {
        "neuroid": {"neuroid_id": np.arange(1, len(regions) + 1), "region": regions},
        "time_bin": {"time_bin_start": time, "time_bin_end": time + 1},
        "presentation": {"repetition": np.tile(np.arange(repetitions), len(ids)), "image_id": np.repeat(ids, repetitions)},
    }
    write_assembly(path, trials(), coordinates, "f8")
