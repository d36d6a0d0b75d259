"""A simulation of TVSD in the released layout, with 1024 electrodes in V1, V4 and IT."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.datasets.tvsd.electrodes import N_ELECTRODES
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling, noisy_trials
from cortexscale.simulation.matlab import write_matlab
from cortexscale.simulation.visual_system import World

DEAD_ELECTRODES = {"monkeyF": range(0), "monkeyN": range(320, 384)}
"""Electrodes without responses. In the release, one array of monkey N is dead, and its responses are nan."""

OUTLIER = 70.0  # one implausible response of each monkey, as in the release

_DAYS = 4

AREAS = {"V1": "early", "V4": "middle", "IT": "late"}
"""ROI -> the area of the simulated visual system from which its electrodes read."""


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment."""

    repetitions: int = Field(ge=2, description="Number of repetitions of every test image.")
    live_electrodes: int = Field(
        ge=1, le=192, description="Number of responding electrodes in each area. The others record noise."
    )


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the files of each monkey, and yield the truth: noise-free responses and true noise ceilings.

    The last image of each concept is a test image. The monkeys see the same images in the same random order.
    """
    concepts = np.array([id.split("/")[0] for id in world.things_ids])
    is_test = np.append(concepts[1:] != concepts[:-1], True)
    rows = np.random.default_rng(seed).permutation(len(concepts))
    train, test = rows[~is_test[rows]], rows[is_test[rows]]
    for index, monkey in enumerate(subjects):
        yield monkey, _simulate_monkey(root, monkey, world, train, test, settings, seed + 10 * (index + 1))


def _simulate_monkey(
    root: Path, monkey: str, world: World, train: np.ndarray, test: np.ndarray, settings: Settings, seed: int
) -> Recording:
    """Simulate one monkey. ``train`` and ``test`` have rows of the images."""
    rng = np.random.default_rng(seed)
    spans = tvsd.Options().areas[monkey]
    dead = DEAD_ELECTRODES[monkey]
    live: list[int] = []
    areas: list[str] = []
    for roi, (first, stop) in spans.items():
        candidates = [electrode for electrode in range(first, stop) if electrode not in dead]
        live += sorted(rng.choice(candidates, settings.live_electrodes, replace=False).tolist())
        areas += [AREAS[roi]] * settings.live_electrodes
    signal = np.zeros((len(world.things_ids), N_ELECTRODES))
    signal[:, live] = world.brain.signal(world.things_latents, areas, seed)
    ceiling = np.zeros(N_ELECTRODES)
    ceiling[live] = rng.uniform(75, 97, len(live))
    ncsnr = ncsnr_of_ceiling(ceiling, settings.repetitions)

    train_responses = noisy_trials(signal, train, ncsnr, seed=seed + 1)
    test_trials = noisy_trials(signal, np.tile(test, settings.repetitions), ncsnr, seed=seed + 2)
    test_repetitions = test_trials.reshape(settings.repetitions, len(test), N_ELECTRODES)
    silent = next(electrode for electrode in range(N_ELECTRODES) if electrode not in live and electrode not in dead)
    train_responses[0, silent] = OUTLIER
    train_responses[:, dead] = test_repetitions[:, :, dead] = np.nan
    ids = {"train_ids": world.things_ids[train], "test_ids": world.things_ids[test]}
    write_tvsd(root, monkey, **ids, train=train_responses, test_repetitions=test_repetitions)

    units = pd.DataFrame({"unit": [f"electrode{number:04d}" for number in live], "nc_percent": ceiling[live]})
    rois = pd.DataFrame({roi: [first <= number < stop for number in live] for roi, (first, stop) in spans.items()})
    train_split, test_split = (
        Split(world.things_ids[rows], signal[rows][:, live].astype(np.float32), np.full(len(rows), repetitions))
        for rows, repetitions in ((train, 1), (test, settings.repetitions))
    )
    return Recording("tvsd", monkey, train_split, test_split, units, rois).check()


def write_tvsd(
    root: Path, monkey: str, *, train_ids: Sequence[str], test_ids: Sequence[str], train: np.ndarray, test_repetitions: np.ndarray
) -> None:
    """Write ``<monkey>/THINGS_normMUA.mat`` and ``<monkey>/_logs/things_imgs.mat`` under ``root``.

    As in the release, statistics are derived from the test repetitions (R, n_test, 1024). The release computes SNR from the raw
    signal of each day. Here it is computed from the repetitions, and is the same on every day. Latencies are nan.
    """
    repetitions = np.asarray(test_repetitions, dtype=np.float64)
    average = repetitions.mean(axis=0)
    snr = ncsnr_from_repetitions(repetitions)
    with np.errstate(invalid="ignore", divide="ignore"):  # electrodes without a signal
        reliability = np.stack([_pearson(one, other) for one, other in combinations(repetitions, 2)])
        others = (average * len(repetitions) - repetitions) / (len(repetitions) - 1)
        oracle = np.mean([_pearson(one, rest) for one, rest in zip(repetitions, others, strict=True)], axis=0)
    variables = {
        "train_MUA": np.asarray(train, dtype=np.float64).T,
        "test_MUA": average.T,
        "test_MUA_reps": repetitions.T,
        "reliab": reliability.T,
        "oracle": oracle[None],
        "SNR": np.tile(snr[:, None], _DAYS),
        "SNR_max": snr[None],
        "lats": np.full((len(snr), _DAYS), np.nan),
        "tb": np.arange(-100.0, 200.0)[None],
    }
    write_matlab(root / monkey / "THINGS_normMUA.mat", variables)
    images = {"train_imgs": _fields(train_ids), "test_imgs": _fields(test_ids)}
    write_matlab(root / monkey / "_logs" / "things_imgs.mat", images)


def _fields(ids: Sequence[str]) -> dict[str, list[str]]:
    paths = [str(name).replace("/", "\\") for name in ids]
    concepts, local = [path.split("\\")[0] for path in paths], [f"D:\\THINGS\\{path}" for path in paths]
    return {"class": concepts, "things_path": paths, "local_path": local}


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson r between the columns of two arrays (n, units), as (units,)."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
