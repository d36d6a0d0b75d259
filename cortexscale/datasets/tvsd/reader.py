"""TVSD, the THINGS Ventral Stream Spiking Dataset: macaque V1, V4 and IT (Papale et al. 2025, Neuron 113).

Two files are read for each monkey. ``THINGS_normMUA.mat`` has multi-unit activity, averaged in one window per area. The authors
normalised it per day and electrode, so it has no physical unit. ``_logs/things_imgs.mat`` has the THINGS images in the order of
the rows of the responses. Electrodes count from 0, in the physical order of the normalised file, which has 16 arrays of 64.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, field_validator

from cortexscale.datasets.formats.matlab import numbers, open_matlab, read_strings
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.screening import Damage, reason_counts
from cortexscale.datasets.tvsd.electrodes import (
    BLOCK_BYTES,
    N_ELECTRODES,
    blocks,
    describe_electrodes,
    reasons_to_drop,
    released_reliability,
    require_released_statistics,
)
from cortexscale.errors import InputError
from cortexscale.recording import Recording, Split

log = logging.getLogger(__name__)

SUBJECTS = ("monkeyF", "monkeyN")
ROIS = ("V1", "V4", "IT")
SOURCE = all_facts()["tvsd"].source

# The order of the areas is from the authors' norm_MUA.m. It differs between the two monkeys for V4 and IT, which some packages
# overlook.
_AREAS = {
    "monkeyF": {"V1": (0, 512), "IT": (512, 832), "V4": (832, 1024)},
    "monkeyN": {"V1": (0, 512), "V4": (512, 768), "IT": (768, 1024)},
}
_AGREEMENT = 1e-6  # largest difference between released and recomputed numbers, which are float64 of the same data
_OUTLIER_SD = 20
_OF_ONE_RELEASE = "take both files from one release; if they are partial or simulated on purpose, set tvsd's counts"


class Options(BaseModel, extra="forbid"):
    """Options of TVSD. The defaults describe the release and the selection of the paper."""

    min_reliability: float = Field(
        0.1, ge=-1, lt=1, description="Keep electrodes whose released reliability has a mean above this value."
    )
    n_train: int = Field(
        22248,
        ge=1,
        description="Number of training images. Each is presented once. Change counts for partial or simulated files only.",
    )
    n_test: int = Field(100, ge=2, description="Number of test images.")
    n_repetitions: int = Field(30, ge=2, description="Number of repetitions of every test image.")
    areas: dict[str, dict[str, tuple[int, int]]] = Field(
        _AREAS,
        description="First and last + 1 electrode of each area, for each monkey. The released orders of the monkeys differ.",
    )

    @field_validator("areas")
    @classmethod
    def _areas_are_disjoint(cls, areas: dict[str, dict[str, tuple[int, int]]]) -> dict[str, dict[str, tuple[int, int]]]:
        if set(areas) != set(SUBJECTS):
            raise ValueError(f"name the areas of every monkey: {', '.join(SUBJECTS)}")
        for monkey, spans in areas.items():
            if unknown := set(spans) - set(ROIS):
                raise ValueError(f"{monkey} has no area {', '.join(sorted(unknown))}; name {', '.join(ROIS)}")
            edges = [0, *chain(*sorted(spans.values())), N_ELECTRODES]
            if edges != sorted(edges) or any(first == stop for first, stop in spans.values()):
                raise ValueError(f"the areas of {monkey} overlap, are empty or leave the electrodes 0 to {N_ELECTRODES}")
        return areas


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the released files of one monkey, with the responses and the list of images. They need not exist."""
    require_known([subject], SUBJECTS, "subjects of TVSD")
    folder = Path(root) / subject
    return [folder / "THINGS_normMUA.mat", folder / "_logs" / "things_imgs.mat"]


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check both files of one monkey completely, except for the responses."""
    _stimulus_ids(root, subject, options)
    with _responses_file(root, subject, options):
        pass


def count_units(root: Path, subject: str, options: Options, above: float) -> tuple[Path, dict[str, int]]:
    """Count the electrodes of each released area with a reliability above ``above``. Also return the path of the file of
    responses."""
    path, _ = raw_files(root, subject, options)
    with _responses_file(root, subject, options) as file:
        reliable = released_reliability(file["reliab"][:]) > above
    return path, {area: int(reliable[first:stop].sum()) for area, (first, stop) in _AREAS[subject].items()}


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB, from the expected counts, if all electrodes but one are kept."""
    responses = 2.5 * 4 * (options.n_train + options.n_test) * N_ELECTRODES
    names = 6000 * (options.n_train + options.n_test)  # HDF5 caches every opened object, and each name is an object
    libraries = 150e6
    return int(np.ceil((responses + 10 * BLOCK_BYTES + names + libraries) / 1e6))


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training stimuli, of test stimuli, and of units of all monkeys. Both monkeys saw the same images."""
    return options.n_train, options.n_test, N_ELECTRODES * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one monkey.

    Units are electrodes with a released reliability above ``options.min_reliability``. Reliability is Pearson r between two
    repetitions across test images, averaged over all pairs. Noise ceilings are estimated from single repetitions, because
    responses are normalised per day but do not have unit variance.
    """
    responses_file, _ = raw_files(root, subject, options)
    train_ids, test_ids = _stimulus_ids(root, subject, options)
    with _responses_file(root, subject, options) as file:
        electrodes = describe_electrodes(file, options.areas[subject])
        reliable = (electrodes["area"] != "") & (electrodes["reliability"] > options.min_reliability)
        repetitions = file["test_MUA_reps"]
        n_trials = repetitions.shape[0] * repetitions.shape[1]
        of_units = (
            (part, repetitions[:, :, part].astype(np.float32).reshape(n_trials, -1))
            for part in blocks(N_ELECTRODES, 64 * n_trials)
        )
        _damaged("test_MUA_reps", n_trials, reliable.to_numpy(), of_units, responses_file)
        del repetitions, of_units
        reasons = reasons_to_drop(electrodes, options.min_reliability, responses_file)
        keep = reasons == ""
        source = _source(subject, responses_file.name)
        require_released_statistics(electrodes[keep], options.n_test, responses_file, source)
        train, test = (_responses(file[name], keep) for name in ("train_MUA", "test_MUA"))

    complete = np.ones(train.shape[1], bool)
    for name, values in (("train_MUA", train), ("test_MUA", test)):
        of_units = ((part, values[:, part]) for part in blocks(values.shape[1], 16 * len(values)))
        complete &= ~_damaged(name, len(values), np.ones(values.shape[1], bool), of_units, responses_file)
    if not complete.all():
        reasons[np.flatnonzero(keep)[~complete]] = "missing or constant responses"
        keep = reasons == ""
        train, test = train[:, complete], test[:, complete]

    units, statistics = electrodes[keep].reset_index(drop=True), electrodes[["unit", "nc_percent", "recomputed"]]
    in_roi = pd.DataFrame({roi: (electrodes["area"] == roi).to_numpy() for roi in ROIS})
    return Recording(
        dataset="tvsd",
        subject=subject,
        train=Split(train_ids, train, np.ones(len(train_ids), dtype=int)),
        test=Split(test_ids, test, np.full(len(test_ids), options.n_repetitions)),
        units=units[["unit", "electrode", "array", "area", "reliability", "nc_percent"]],
        rois=in_roi[keep].reset_index(drop=True),
        notes={
            "dropped_units": reason_counts(reasons),
            "dead_electrodes": electrodes.loc[electrodes["reliability"].isna(), "electrode"].tolist(),
            "train_outliers": _outliers(train, units["electrode"].to_numpy()),
            "released_statistic": "reliability",
            **_compare(units, responses_file),
        },
        screening=pd.concat([statistics.assign(kept=keep, reason=reasons, released=electrodes["reliability"]), in_roi], axis=1),
    ).check()


def _damaged(name: str, rows: int, of: np.ndarray, parts: Iterable[tuple[slice, np.ndarray]], path: Path) -> np.ndarray:
    """Return which electrodes have missing or stuck values in an array. An InputError is raised if too many of the electrodes
    ``of`` have such values."""
    damage = Damage(rows, len(of))
    for part, values in parts:
        damage.add(part, values)
    damage.require_little(path, of, f"row of {name}", "electrodes", _source(path.parent.name, path.name))
    return damage.units


def _source(subject: str, file: str) -> str:
    return f"It is {subject}/{file} of https://gin.g-node.org/paolo_papale/TVSD (direct: .../raw/master/{subject}/{file})."


def _stimulus_ids(root: Path, subject: str, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Return the THINGS ids of the rows of the training and test responses, such as ``aardvark/aardvark_01b.jpg``."""
    _, path = raw_files(root, subject, options)
    ids = []
    with open_matlab(path, ("train_imgs", "test_imgs"), _source(subject, "_logs/things_imgs.mat")) as file:
        for variable, option, expected in (("train_imgs", "n_train", options.n_train), ("test_imgs", "n_test", options.n_test)):
            names = np.array([name.replace("\\", "/") for name in read_strings(file, variable, "things_path")], dtype=np.str_)
            if len(names) != expected:
                remedy = f"download the file again; if the set is partial or simulated on purpose, set tvsd's {option}"
                raise InputError(path, f"{len(names):,} images in {variable}", f"{expected:,}", remedy)
            ids.append(names)
    return ids[0], ids[1]


@contextmanager
def _responses_file(root: Path, subject: str, options: Options) -> Iterator[h5py.File]:
    """Open the responses of one monkey, after checking their shapes."""
    path, _ = raw_files(root, subject, options)
    pairs = options.n_repetitions * (options.n_repetitions - 1) // 2
    shapes = {  # MATLAB's axes are reversed
        "train_MUA": (options.n_train, N_ELECTRODES),
        "test_MUA": (options.n_test, N_ELECTRODES),
        "test_MUA_reps": (options.n_repetitions, options.n_test, N_ELECTRODES),
        "reliab": (pairs, N_ELECTRODES),
        "oracle": (N_ELECTRODES, 1),
    }
    with open_matlab(path, shapes, _source(subject, "THINGS_normMUA.mat")) as file:
        for name, shape in shapes.items():
            numbers(file, name, shape, _OF_ONE_RELEASE)
        yield file


def _responses(data: h5py.Dataset, keep: np.ndarray) -> np.ndarray:
    """Read float32 responses (images, kept electrodes) in blocks of images, so that dropped electrodes take little memory."""
    responses = np.empty((len(data), keep.sum()), dtype=np.float32)
    for block in blocks(len(data), 8 * N_ELECTRODES):
        responses[block] = data[block][:, keep]
    return responses


def _compare(units: pd.DataFrame, path: Path) -> dict[str, Any]:
    """Compare the released statistics of kept electrodes with statistics of the single repetitions."""
    reliability = (units["recomputed"] - units["reliability"]).abs()
    errors = {"reliab": reliability, "oracle": units["oracle_error"], "test_MUA": units["test_MUA_error"]}
    notes: dict[str, Any] = {"warnings": []}
    for name, error in errors.items():
        notes[f"{name}_largest_difference_from_repetitions"] = largest = float(error.max())
        if not largest <= _AGREEMENT:
            notes["warnings"].append(f"{name} as released differs by up to {largest:.2g} from what test_MUA_reps gives")
            log.warning("%s: %s", path, notes["warnings"][-1])
    return notes


def _outliers(train: np.ndarray, electrodes: np.ndarray) -> dict[str, Any]:
    """Count responses that are far from their electrode's median, in 1.4826 x median absolute deviations. They are kept."""
    count, largest = 0, 0.0
    where: list[int] = []
    for part in blocks(train.shape[1], 8 * len(train)):
        block = train[:, part]
        distance = np.abs(block - np.median(block, axis=0))
        far = distance > _OUTLIER_SD * 1.4826 * np.median(distance, axis=0)
        count += int(far.sum())
        where += electrodes[part][far.any(axis=0)].tolist()
        largest = max(largest, float(np.abs(block).max()))
    return {"beyond_sd": _OUTLIER_SD, "responses": count, "electrodes": where, "largest_response": largest}
