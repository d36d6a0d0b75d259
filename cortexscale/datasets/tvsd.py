"""TVSD, the THINGS Ventral Stream Spiking Dataset: macaque V1, V4 and IT (Papale et al. 2025, Neuron 113).

Released at gin.g-node.org/paolo_papale/TVSD. For each monkey we read ``THINGS_normMUA.mat`` (multi-unit activity,
normalised by the authors per day and electrode, averaged in one window per area; no physical unit) and
``_logs/things_imgs.mat`` (the THINGS images in the order of its rows). Electrodes count from 0, in the physical order of
the normalised file: 16 arrays of 64.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, field_validator

from cortexscale.datasets.matlab import open_matlab, read_strings
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent
from cortexscale.recording import Recording, Split

log = logging.getLogger(__name__)

SUBJECTS = ("monkeyF", "monkeyN")
ROIS = ("V1", "V4", "IT")
N_ELECTRODES = 1024
ELECTRODES_PER_ARRAY = 64

# From the authors' norm_MUA.m. V4 and IT change places between the monkeys: some packages treat F like N.
_AREAS = {
    "monkeyF": {"V1": (0, 512), "IT": (512, 832), "V4": (832, 1024)},
    "monkeyN": {"V1": (0, 512), "V4": (512, 768), "IT": (768, 1024)},
}
_BLOCK = 256  # electrodes read at a time
_AGREEMENT = 1e-6  # released against recomputed numbers; both are float64 of the same data
_OUTLIER_SD = 20


class Options(BaseModel, extra="forbid"):
    """The configuration of this dataset. The defaults describe the release and the paper's selection."""

    min_reliability: float = Field(0.1, ge=-1, lt=1, description="Keep electrodes whose mean released reliability is above this.")
    n_train: int = Field(
        22248, ge=1, description="Train images, each shown once. Change counts for partial or simulated files only."
    )
    n_test: int = Field(100, ge=2, description="Test images.")
    n_repetitions: int = Field(30, ge=2, description="Repetitions of every test image.")
    areas: dict[Literal["monkeyF", "monkeyN"], dict[Literal["V1", "V4", "IT"], tuple[int, int]]] = Field(
        _AREAS, description="Electrodes of each area, first to last + 1. The released order differs between the monkeys."
    )

    @field_validator("areas")
    @classmethod
    def _areas_are_disjoint(cls, areas: dict) -> dict:
        if set(areas) != set(SUBJECTS):
            raise ValueError(f"name the areas of every monkey: {', '.join(SUBJECTS)}")
        for monkey, spans in areas.items():
            edges = [0, *chain(*sorted(spans.values())), N_ELECTRODES]
            if edges != sorted(edges) or any(first == stop for first, stop in spans.values()):
                raise ValueError(f"the areas of {monkey} overlap, are empty or leave the electrodes 0 to {N_ELECTRODES}")
        return areas


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """The released files of one monkey: responses and list of images. They need not exist.

    Raises:
        InputError: the release has no such monkey.
    """
    if subject not in SUBJECTS:
        raise InputError(
            f"subject {subject} of dataset tvsd",
            f"no monkey of that name, so no map of its electrodes to {', '.join(ROIS)}",
            " or ".join(SUBJECTS),
            "correct the name in the list of subjects",
        )
    folder = Path(root) / subject
    return [folder / "THINGS_normMUA.mat", folder / "_logs" / "things_imgs.mat"]


def memory_mb(options: Options) -> int:
    """Peak memory of :func:`read` in MB, from the expected counts, if every electrode is kept."""
    train = 4 * options.n_train * (N_ELECTRODES + 4 * _BLOCK)
    test = 8 * options.n_repetitions * options.n_test * 6 * _BLOCK
    reliability = 8 * options.n_repetitions * (options.n_repetitions - 1) * N_ELECTRODES
    libraries = 250e6
    return int(np.ceil((train + test + reliability + libraries) / 1e6))


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Train stimuli, test stimuli and at most so many units of one kernel: the monkeys saw the same images."""
    return options.n_train, options.n_test, N_ELECTRODES * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one monkey.

    Units are the electrodes whose released reliability (Pearson r between repetitions across test images, mean over all
    pairs) exceeds ``options.min_reliability``. Noise ceilings come from the single repetitions: the responses are
    normalised per day but do not have unit variance.

    Returns:
        Recording with the unit columns ``unit``, ``electrode``, ``array``, ``area``, ``reliability`` and ``nc_percent``.
        ``notes`` counts dropped electrodes and outliers, and compares released statistics with recomputed ones.

    Raises:
        InputError: a file is not what was released, the files do not fit each other, or no electrode is kept.
    """
    responses_file, images_file = raw_files(root, subject, options)
    train_ids, test_ids = _stimulus_ids(images_file, subject, options)
    shapes = {
        "train_MUA": (len(train_ids), N_ELECTRODES),
        "test_MUA": (len(test_ids), N_ELECTRODES),
        "test_MUA_reps": (options.n_repetitions, len(test_ids), N_ELECTRODES),
        "reliab": (options.n_repetitions * (options.n_repetitions - 1) // 2, N_ELECTRODES),
    }
    with open_matlab(responses_file, shapes, _source(subject, "THINGS_normMUA.mat")) as file:
        for name, shape in shapes.items():
            _require_shape(file, name, shape, responses_file)
        electrodes = _electrodes(file, options.areas[subject])
        keep, dropped = _select(electrodes, options.min_reliability, responses_file)
        train = _train_responses(file["train_MUA"], keep)
        test = file["test_MUA"][:][:, keep].astype(np.float32)

    units = electrodes[keep]
    complete = np.isfinite(train).all(axis=0) & np.isfinite(test).all(axis=0)
    dropped["a response is missing"] = int((~complete).sum())
    if not complete.all():
        train, test, units = train[:, complete], test[:, complete], units[complete]

    notes = {
        "dropped_electrodes": dropped,
        "dead_electrodes": electrodes.loc[electrodes["reliability"].isna(), "electrode"].tolist(),
        "train_outliers": _outliers(train, units["electrode"].to_numpy()),
        "warnings": [],
    }
    for name in ("reliab", "test_MUA"):
        error = float(units[f"{name}_error"].max())
        notes[f"{name}_largest_difference_from_repetitions"] = error
        if not error <= _AGREEMENT:
            notes["warnings"].append(f"{name} as released differs by up to {error:.2g} from what test_MUA_reps gives")
            log.warning("%s: %s", responses_file, notes["warnings"][-1])
    return Recording(
        dataset="tvsd",
        subject=subject,
        train=Split(train_ids, train, np.ones(len(train_ids), dtype=int)),
        test=Split(test_ids, test, np.full(len(test_ids), options.n_repetitions)),
        units=units[["unit", "electrode", "array", "area", "reliability", "nc_percent"]].reset_index(drop=True),
        rois=pd.DataFrame({roi: (units["area"] == roi).to_numpy() for roi in ROIS}),
        notes=notes,
    ).check()


def mean_pairwise_reliability(repetitions: np.ndarray) -> np.ndarray:
    """Pearson r across images between two repetitions, mean over all pairs: (R, images, units) -> (units,).

    nan where a repetition is constant or has a non-finite response.
    """
    # The squared length of the sum of R unit vectors is R plus twice the sum of r over the pairs.
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = repetitions - repetitions.mean(axis=1, keepdims=True)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    n = len(unit)
    return (np.square(unit.sum(axis=0)).sum(axis=0) - n) / (n * (n - 1))


def _source(subject: str, file: str) -> str:
    return f"It is {subject}/{file} of https://gin.g-node.org/paolo_papale/TVSD (direct: .../raw/master/{subject}/{file})."


def _stimulus_ids(path: Path, subject: str, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """THINGS ids, ``aardvark/aardvark_01b.jpg``, of the rows of the train and test responses."""
    ids = []
    with open_matlab(path, ("train_imgs", "test_imgs"), _source(subject, "_logs/things_imgs.mat")) as file:
        for variable, option, expected in (("train_imgs", "n_train", options.n_train), ("test_imgs", "n_test", options.n_test)):
            names = np.char.replace(read_strings(file, variable, "things_path"), "\\", "/")
            if len(names) != expected:
                raise InputError(
                    path,
                    f"{len(names):,} images in {variable}",
                    f"{expected:,}",
                    f"download the file again; if the set is partial or simulated on purpose, set tvsd's {option}",
                )
            ids.append(names)
    return ids[0], ids[1]


def _require_shape(file: h5py.File, name: str, expected: tuple[int, ...], path: Path) -> None:
    found = getattr(file[name], "shape", "none (a struct)")
    if found != expected:
        raise InputError(
            path,
            f"{name} of shape {found}",
            f"{expected}, to fit things_imgs.mat and the repetitions, electrodes last",
            "take both files from one release; if they are partial or simulated on purpose, set the counts of tvsd's options",
        )


def _blocks() -> Iterator[slice]:
    return (slice(first, first + _BLOCK) for first in range(0, N_ELECTRODES, _BLOCK))


def _electrodes(file: h5py.File, areas: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """One row per electrode: where it is, and what the test repetitions say about it."""
    electrode = np.arange(N_ELECTRODES)
    area = np.full(N_ELECTRODES, "", dtype=object)
    for name, (first, stop) in areas.items():
        area[first:stop] = name

    pairs = file["reliab"][:]
    with np.errstate(invalid="ignore"):  # 0 / 0 pairs of a dead electrode: nan is what we want
        reliability = np.nansum(pairs, axis=0) / np.isfinite(pairs).sum(axis=0)
    recomputed, average_error, ceiling = (np.empty(N_ELECTRODES) for _ in range(3))
    for block in _blocks():
        repetitions = file["test_MUA_reps"][:, :, block]
        recomputed[block] = mean_pairwise_reliability(repetitions)
        average_error[block] = np.abs(file["test_MUA"][:, block] - repetitions.mean(axis=0)).max(axis=0)
        ceiling[block] = noise_ceiling_percent(ncsnr_from_repetitions(repetitions), len(repetitions))
    return pd.DataFrame(
        {
            "unit": [f"electrode{number:04d}" for number in electrode],
            "electrode": electrode,
            "array": electrode // ELECTRODES_PER_ARRAY,
            "area": area,
            "reliability": reliability,
            "nc_percent": ceiling,
            "reliab_error": np.abs(recomputed - reliability),
            "test_MUA_error": average_error,
        }
    )


def _select(electrodes: pd.DataFrame, min_reliability: float, path: Path) -> tuple[np.ndarray, dict[str, int]]:
    """Which electrodes are kept, and how many each condition takes from those that the earlier ones left."""
    reliability = electrodes["reliability"]
    conditions = {
        "in no area": electrodes["area"] == "",
        "reliability is not finite": ~np.isfinite(reliability),
        f"reliability is not above {min_reliability:g}": ~(reliability > min_reliability),
        "noise ceiling is not above 0": ~(electrodes["nc_percent"] > 0),
    }
    keep, dropped = np.ones(N_ELECTRODES, dtype=bool), {}
    for reason, fails in conditions.items():
        dropped[reason] = int((keep & fails).sum())
        keep &= ~fails.to_numpy()
    if not keep.any():
        raise InputError(
            path,
            f"no electrode that passes the selection; the highest reliability is {reliability.max():.3g}",
            f"electrodes with a reliability above {min_reliability:g} and a noise ceiling above 0",
            "lower tvsd's min_reliability, or check that the file is whole",
        )
    return keep, dropped


def _train_responses(data: h5py.Dataset, keep: np.ndarray) -> np.ndarray:
    """(images, kept electrodes) float32, read in blocks of electrodes so that dropped ones never pile up."""
    train = np.empty((len(data), keep.sum()), dtype=np.float32)
    filled = 0
    for block in _blocks():
        wanted = data.astype(np.float32)[:, block][:, keep[block]]
        train[:, filled : filled + wanted.shape[1]] = wanted
        filled += wanted.shape[1]
    return train


def _outliers(train: np.ndarray, electrodes: np.ndarray) -> dict:
    """Responses far from their electrode's median, in robust standard deviations (1.4826 x median absolute deviation).

    The release has absurd ones. They are reported and kept: clipping would change the data.
    """
    count, where, largest = 0, [], 0.0
    for first in range(0, train.shape[1], _BLOCK):
        block = train[:, first : first + _BLOCK]
        distance = np.abs(block - np.median(block, axis=0))
        far = distance > _OUTLIER_SD * 1.4826 * np.median(distance, axis=0)
        count += int(far.sum())
        where += electrodes[first : first + _BLOCK][far.any(axis=0)].tolist()
        largest = max(largest, float(np.abs(block).max()))
    return {"beyond_sd": _OUTLIER_SD, "responses": count, "electrodes": where, "largest_response": largest}
