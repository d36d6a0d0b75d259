"""Statistics of electrodes, computed from single repetitions of TVSD's test images, and selection of electrodes."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cortexscale.datasets.screening import first_reason
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent

N_ELECTRODES = 1024
ELECTRODES_PER_ARRAY = 64
BLOCK_BYTES = 2**23
"""Largest size, in bytes, of a block of float64 responses while a file is streamed. A block has at least one row or electrode.
Copies need additional memory."""


def describe_electrodes(file: h5py.File, areas: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Describe every electrode of the file of responses. ``areas`` has the range (first, stop) of each area.

    Returns:
        A table with one row per electrode. It has ``unit``, ``electrode``, ``array``, ``area`` ("" outside all areas) and
        ``nc_percent``. The release has one reliability per pair of repetitions; ``reliability`` is the mean of those that are
        finite. ``recomputed`` is the mean reliability over all pairs, computed here from the repetitions. ``oracle_error`` and
        ``test_MUA_error`` are the largest differences between released values and values from the repetitions. ``sem`` is the
        standard error of the mean over repetitions, averaged over images. Statistics of dead electrodes are nan.
    """
    electrode = np.arange(N_ELECTRODES)
    area = np.full(N_ELECTRODES, "", dtype=object)
    for name, (first, stop) in areas.items():
        area[first:stop] = name
    n_repetitions, n_images, _ = file["test_MUA_reps"].shape
    item_bytes = 8 * max(n_repetitions * n_images, len(file["reliab"]))
    statistics = pd.concat([_statistics(file, block) for block in blocks(N_ELECTRODES, item_bytes)], ignore_index=True)
    unit = [f"electrode{number:04d}" for number in electrode]
    place = pd.DataFrame({"unit": unit, "electrode": electrode, "array": electrode // ELECTRODES_PER_ARRAY, "area": area})
    return pd.concat([place, statistics], axis=1)


def _statistics(file: h5py.File, block: slice) -> pd.DataFrame:
    repetitions = file["test_MUA_reps"][:, :, block]
    sem = repetitions.std(axis=0, ddof=1).mean(axis=0) / np.sqrt(len(repetitions))
    return pd.DataFrame(
        {
            "reliability": released_reliability(file["reliab"][:, block]),
            "recomputed": mean_pairwise_reliability(repetitions),
            "nc_percent": noise_ceiling_percent(ncsnr_from_repetitions(repetitions), len(repetitions)),
            "oracle_error": np.abs(file["oracle"][block, 0] - leave_one_out_reliability(repetitions)),
            "test_MUA_error": np.abs(file["test_MUA"][:, block] - repetitions.mean(axis=0)).max(axis=0),
            "sem": sem,
        }
    )


def released_reliability(pairs: np.ndarray) -> np.ndarray:
    """Average the finite released reliabilities (pairs, electrodes) of each electrode. The mean is nan for dead electrodes."""
    finite = np.isfinite(pairs)
    with np.errstate(invalid="ignore"):
        return np.where(finite, pairs, 0).sum(axis=0) / finite.sum(axis=0)


def reasons_to_drop(electrodes: pd.DataFrame, min_reliability: float, path: Path) -> np.ndarray:
    """Return why each electrode of :func:`describe_electrodes` is left out, (electrodes,) text, empty for those that are kept.

    An InputError is raised if no electrode is kept.
    """
    reliability = electrodes["reliability"]
    conditions = {
        "in no area": electrodes["area"] == "",
        "reliability is not finite": ~np.isfinite(reliability),
        f"reliability is not above {min_reliability:g}": ~(reliability > min_reliability),
        "noise ceiling is not above 0": ~(electrodes["nc_percent"] > 0),
    }
    reasons = first_reason(conditions)
    if (reasons != "").all():
        found = f"no electrode that passes the selection; the highest reliability is {reliability.max():.3g}"
        expected = f"electrodes with a reliability above {min_reliability:g} and a noise ceiling above 0"
        raise InputError(path, found, expected, "lower tvsd's min_reliability, or check that the file is whole")
    return reasons


def require_released_statistics(electrodes: pd.DataFrame, n_images: int, path: Path, remedy: str) -> None:
    """Raise an InputError if released statistics of ``electrodes`` are not those of the repetitions in the same file.

    The released statistics were computed from these repetitions. Released and recomputed statistics may differ, but by less than
    the sampling error. The limit for the median difference of ``reliab`` is the standard error of Pearson r over images,
    (1 - r^2) / sqrt(images). The difference of ``test_MUA`` is the largest over images; the limit for its median is 3 standard
    errors of the mean over repetitions.
    """
    r, recomputed = electrodes["reliability"], electrodes["recomputed"]
    if not (r.abs() <= 1).all():
        raise InputError(path, f"reliab from {r.min():.3g} to {r.max():.3g} (mean of an electrode)", "Pearson r, -1 to 1", remedy)
    limits = {
        "reliab": ((r - recomputed).abs(), (1 - recomputed**2) / np.sqrt(n_images)),
        "test_MUA": (electrodes["test_MUA_error"], 3 * electrodes["sem"]),
    }
    for name, (difference, limit) in limits.items():
        found, allowed = float(difference.median()), float(limit.median())
        if found > allowed:
            found_text = f"{name} that differs from what test_MUA_reps gives by {found:.2g} (median over {len(r):,} electrodes)"
            remedy = f"these arrays are of different electrodes, images or monkeys. {remedy}"
            raise InputError(path, found_text, f"at most {allowed:.2g}, the sampling error", remedy)


def mean_pairwise_reliability(repetitions: np.ndarray) -> np.ndarray:
    """Return Pearson r across images between two repetitions, averaged over all pairs, (units,).

    ``repetitions`` are (R, images, units). The result is nan if a repetition is constant or has a non-finite response.
    """
    # The squared length of the sum of R unit vectors is R plus twice the sum of r over the pairs.
    unit = _unit_length(repetitions)
    n = len(unit)
    return (np.square(unit.sum(axis=0)).sum(axis=0) - n) / (n * (n - 1))


def leave_one_out_reliability(repetitions: np.ndarray) -> np.ndarray:
    """Return Pearson r across images between one repetition and the mean of all others, averaged over repetitions, (units,)."""
    others = repetitions.sum(axis=0) - repetitions
    return (_unit_length(repetitions) * _unit_length(others)).sum(axis=1).mean(axis=0)


def _unit_length(repetitions: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = repetitions - repetitions.mean(axis=1, keepdims=True)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return unit


def blocks(n: int, item_bytes: int) -> Iterator[slice]:
    """Divide ``n`` items, each of ``item_bytes``, into slices of at most :data:`BLOCK_BYTES`."""
    step = max(1, BLOCK_BYTES // item_bytes)
    return (slice(first, min(first + step, n)) for first in range(0, n, step))
