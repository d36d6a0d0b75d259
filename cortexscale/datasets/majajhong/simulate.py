"""A simulation of MajajHong2015 in Brain-Score's format, with normalised rates of V4 and IT sites of two monkeys."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt

from cortexscale.datasets.majajhong import reader as majajhong
from cortexscale.datasets.splits import stratified_test
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.simulation.assembly import Coordinates, fade_into_gray, luminance, png, write_assembly, write_stimuli
from cortexscale.simulation.brain import noisy_trials
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import World

AREAS = {"V4": "middle", "IT": "late"}
CATEGORIES = ("Animals", "Boats", "Cars", "Chairs", "Faces", "Fruits", "Planes", "Tables")
OBJECTS = [(category, f"{category[:-1].lower()}{number}") for category in CATEGORIES for number in range(8)]
ARRAYS = {"V4": ("P", ("V4",)), "IT": ("A", ("aIT", "cIT", "pIT"))}
"""Area -> its electrode array, and the subregions in which the sites of the area may be."""

_SIDE = 64  # in pixels; released images have 256, and image names here also say 256
_CEILINGS = (60, 95)  # percent of variance


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment."""

    images: dict[int, PositiveInt] = Field(
        description="Number of images of each of the 64 objects, for each variation of pose (0 and 3, as in the release)."
    )
    repetitions: dict[int, int] = Field(description="Number of repetitions of every image, for each variation of pose.")
    sites: dict[str, PositiveInt] = Field(
        description="Number of responding sites of each animal, for each area. One more site of each area records nothing."
    )


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the assembly of both animals, the stimulus CSV and the zip of images, and yield the truth of each of ``subjects``."""
    responses, table = majajhong.RELEASE.files(root)
    rows, files = _objects(settings.images, seed)
    write_stimuli(table, rows, files)
    latents = world.look_at("brainscore", table)

    rng = np.random.default_rng([seed, 1])
    ids, categories = (rows[name].to_numpy(str) for name in ("image_id", "category_name"))
    repetitions = rows["variation"].map(settings.repetitions).to_numpy()
    options = majajhong.Options()
    is_test = stratified_test(ids, categories, options.test_fraction, options.split_seed, str(table))
    sites = _sites(settings.sites, rng)
    signal, ceiling = np.empty((len(ids), len(sites))), np.where(sites["live"], rng.uniform(*_CEILINGS, len(sites)), 0)
    for index, animal in enumerate(majajhong.SUBJECTS):
        own = np.flatnonzero(sites["animal"] == animal)
        signal[:, own] = world.brain.signal(latents, [AREAS[region] for region in sites["region"][own]], seed + 10 * (index + 1))
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0, ddof=1)
    fraction = ceiling / 100
    ncsnr = np.sqrt(fraction / (1 - fraction) * np.mean(1 / repetitions[is_test]))
    _write(responses, rows, sites, signal, ncsnr, repetitions, rng)

    order = np.argsort(ids)
    train, test = order[~is_test[order]], order[is_test[order]]
    for subject in subjects:
        own = np.flatnonzero((sites["animal"] == subject) & sites["live"])
        nc_percent = noise_ceiling_percent(ncsnr[own], repetitions[test])
        units = pd.DataFrame({"unit": sites["neuroid_id"].to_numpy()[own], "nc_percent": nc_percent})
        rois = pd.DataFrame({roi: (sites["region"][own] == roi).to_numpy() for roi in AREAS})
        train_split, test_split = (
            Split(ids[part], signal[np.ix_(part, own)].astype(np.float32), repetitions[part]) for part in (train, test)
        )
        yield subject, Recording("majajhong", subject, train_split, test_split, units, rois).check()


def _objects(images: dict[int, int], seed: int) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Make the CSV, with variation 0 first, and the content of each image file.

    Images are gray, with three equal channels, in a soft disc.
    """
    per_object = sum(images.values())
    rendered, labels = render(len(OBJECTS) * per_object, seed, _SIDE)
    discs = fade_into_gray(luminance(rendered[np.argsort(labels, kind="stable")]), edge=0.15)  # an object has one class
    discs = discs.reshape(len(OBJECTS), per_object, _SIDE, _SIDE)
    rng = np.random.default_rng([seed, 0])
    rows: list[dict[str, object]] = []
    files: dict[str, bytes] = {}
    for variation, n in images.items():
        first = sum(number for other, number in images.items() if other < variation)
        for (category, name), own in zip(OBJECTS, discs[:, first : first + n], strict=True):
            for image in own:
                content, id = png(np.repeat(image[..., None], 3, axis=2))
                background = hashlib.sha1(f"background {len(rows)}".encode()).hexdigest()
                rx, ry, rz, tx, ty = rng.uniform(-1, 1, 5) * bool(variation)
                pose = f"rx{rx:+07.3f}_ry{ry:+07.3f}_rz{rz:+07.3f}_tx{tx:+07.3f}_ty{ty:+07.3f}_s+01.000"
                file = f"{name}_{pose}_{background}_256x256.png"
                row = {"id": len(rows) + 1, "background_id": background, "s": 1.0, "image_id": id, "image_file_name": file}
                row |= {"filename": file, "rxy": ry, "tz": tx, "category_name": category, "rxz_semantic": rz, "ty": ty, "ryz": rx}
                row |= {"object_name": name, "variation": variation, "size": 256.0}
                rows.append(row | {"rxy_semantic": ry, "ryz_semantic": rx, "rxz": rz})
                files[file] = content
    return pd.DataFrame(rows), files


def _sites(per_area: dict[str, int], rng: np.random.Generator) -> pd.DataFrame:
    """Make the sites of both animals in mixed order, as in the release.

    The table has the coordinates of ``neuroid``, and tells whether a site is ``live``.
    """
    rows = []
    for animal in majajhong.SUBJECTS:
        for region, n in per_area.items():
            array, subregions = ARRAYS[region]
            for number, place in enumerate(rng.choice(100, n + 1, replace=False)):
                row, col = divmod(int(place), 10)
                site = {"neuroid_id": f"{animal}_L_{array}_{row}_{col}", "arr": array, "col": col, "hemisphere": "L"}
                site |= {"subregion": subregions[number % len(subregions)], "animal": animal, "y": 0.4 * row - 1.8}
                rows.append(site | {"x": 0.4 * col - 1.8, "region": region, "row": row, "live": number < n})
    return pd.DataFrame(rows).iloc[rng.permutation(len(rows))].reset_index(drop=True)


def _write(
    path: Path,
    rows: pd.DataFrame,
    sites: pd.DataFrame,
    signal: np.ndarray,
    ncsnr: np.ndarray,
    repetitions: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Write the float32 assembly (neuroid, presentation, time_bin). Presentations are in the random order of a session."""
    repetition = np.concatenate([np.arange(k) for k in repetitions])
    order = rng.permutation(len(repetition))
    shown = np.repeat(np.arange(len(rows)), repetitions)[order]
    block = rows.groupby("variation").cumcount().to_numpy()
    trials = noisy_trials(signal, shown, ncsnr, seed=int(rng.integers(2**32))) * sites["live"].to_numpy()
    coordinates: Coordinates = {
        "neuroid": {str(name): sites[name].to_numpy() for name in sites if name != "live"},
        "presentation": {
            "image_id": rows["image_id"].to_numpy(str)[shown],
            "repetition": repetition[order],
            "stimulus": block[shown],
        },
        "time_bin": {"time_bin_start": np.array([70]), "time_bin_end": np.array([170])},
    }
    write_assembly(path, trials.T[..., None], coordinates, "f4")
