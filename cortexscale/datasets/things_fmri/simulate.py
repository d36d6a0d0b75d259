"""A simulation of THINGS-fMRI, with the images that subjects see, the responses of their voxels, and the true responses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt

from cortexscale.datasets.things_fmri.reader import ROIS
from cortexscale.datasets.things_fmri.simulated_files import trial_table, voxel_table, write_things_fmri
from cortexscale.datasets.things_fmri.tables import ROI_COLUMNS
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling, noisy_trials
from cortexscale.simulation.visual_system import World

SESSIONS = 12  # each session has one exemplar of every training concept, and every test image once
RUNS = 10

PARCELS: dict[str, list[tuple[str, ...]]] = {
    "early": [("V1", "glasser-V1"), ("V2", "glasser-V2"), ("V3", "glasser-V3")],
    "middle": [
        ("hV4", "glasser-V4"),
        ("VO1", "glasser-V8"),
        ("VO2",),
        ("LO1 (prf)", "lLOC"),
        ("LO2 (prf)", "rLOC"),
        *((roi,) for roi in ("TO1", "TO2", "V3a", "V3b", "lOFA", "rOFA", "lTOS", "rTOS")),
    ],
    "late": [
        ("lFFA", "IT", "glasser-FFC"),
        ("rFFA", "IT", "glasser-FFC"),
        ("lPPA", "IT", "glasser-PHA1"),
        ("rPPA", "glasser-PHA3"),
        ("IT", "glasser-TE2p"),
        *((roi,) for roi in ("lEBA", "rEBA", "lRSC", "rRSC", "lSTS")),
    ],
}
"""Area -> the parcels of visual cortex whose voxels read from this area. A parcel is given by its ROI columns. As in the
release, ROIs overlap."""

AREAS = {
    roi: area
    for roi, columns in ROI_COLUMNS.items()
    for area, parcels in PARCELS.items()
    if any(column in parcel for parcel in parcels for column in columns)
}
"""ROI of the reader -> the area from which all of its voxels read."""

ABSENT = {"sub-03": "rTOS"}  # subject -> an ROI that was not found in this subject
GRIDS = {"sub-01": (7, 9, 6), "sub-02": (9, 6, 7), "sub-03": (6, 10, 7)}
"""The shape of each subject's voxel grid. The axes of a grid differ in length, so that a forgotten transpose is noticed."""

_SCALE = 0.1  # standard deviation of the responses, about as in the release


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment. The release has 720 concepts and 100 test images."""

    train_concepts: PositiveInt = Field(
        36, description="Number of training concepts. The first 12 exemplars of each are training images, one in each session."
    )
    test_images: PositiveInt = Field(
        50, description="Number of test concepts. The last exemplar of each is a test image, which every session presents."
    )
    voxels_per_parcel: PositiveInt = Field(
        6, description="Number of voxels in each of the 26 parcels of visual cortex. The rest of the brain records noise."
    )


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the released files of each subject, and yield the truth: noise-free responses and true noise ceilings.

    A true noise ceiling uses the variance of the signal over the test images. All subjects have the same training and test
    images, in different orders.
    """
    concepts = pd.Series(world.things_ids).str.partition("/")[0]
    exemplar = concepts.groupby(concepts).cumcount().to_numpy()
    names = np.random.default_rng(seed).permutation(concepts.unique())
    train = np.flatnonzero(concepts.isin(names[: settings.train_concepts]) & (exemplar < SESSIONS))
    test = np.flatnonzero(concepts.isin(names[-settings.test_images :]) & (exemplar == SESSIONS))
    if len(train) != SESSIONS * settings.train_concepts or len(test) != settings.test_images:
        raise ValueError(f"{len(names)} concepts of at least {SESSIONS + 1} images are not enough for {settings!r}")
    for subject in subjects:
        own = seed + 10 * int(subject.removeprefix("sub-"))
        yield subject, _simulate_subject(Path(root), subject, world, train, test, settings.voxels_per_parcel, own)


def _simulate_subject(
    root: Path, subject: str, world: World, train: np.ndarray, test: np.ndarray, voxels_per_parcel: int, seed: int
) -> Recording:
    rng = np.random.default_rng(seed)
    shown = _presentation(train, test, rng)
    mask = np.ones(GRIDS[subject], bool)
    mask[0, :3] = mask[-1, -2:] = False
    parcels = [(area, parcel) for area, parcels in PARCELS.items() for parcel in parcels]
    visual = np.sort(rng.choice(mask.sum(), voxels_per_parcel * len(parcels), replace=False))
    areas = [area for area, _ in parcels for _ in range(voxels_per_parcel)]
    labels: dict[str, np.ndarray] = {}
    for number, (_, parcel) in enumerate(parcels):
        for column in parcel:
            members = labels.setdefault(column, np.zeros(mask.sum(), bool))
            members[visual[number * voxels_per_parcel : (number + 1) * voxels_per_parcel]] = column != ABSENT.get(subject)

    signal = np.zeros((len(world.things_ids), mask.sum()))
    signal[:, visual] = world.brain.signal(world.things_latents, areas, seed)
    ncsnr = np.zeros(mask.sum())
    ncsnr[visual] = ncsnr_of_ceiling(rng.uniform(75, 95, len(visual)), SESSIONS)
    trials = noisy_trials(signal, shown["image"].to_numpy(), ncsnr, seed + 1)
    trials = _SCALE * (trials + rng.normal(0, 0.3, mask.sum()))
    of_test = shown[shown["trial_type"] == "test"].sort_values(["session", "image"]).index
    repetitions = trials[of_test].reshape(SESSIONS, len(test), -1)
    shown["id"] = world.things_ids[shown["image"]]
    voxels = voxel_table(subject, mask, labels, repetitions, seed + 2)
    write_things_fmri(root, subject, trials.T.astype(np.float64), trial_table(subject, shown), voxels)

    true = ncsnr[visual] * signal[test][:, visual].std(axis=0)
    names = [f"voxel{number:06d}" for number in visual]
    units = pd.DataFrame({"unit": names, "nc_percent": noise_ceiling_percent(true, SESSIONS)})
    none = np.zeros(mask.sum(), bool)
    members = {roi: np.any([labels.get(name, none) for name in names], axis=0)[visual] for roi, names in ROI_COLUMNS.items()}
    rois = pd.DataFrame(members).assign(whole_brain=True)[list(ROIS)]
    train_split, test_split = (
        Split(world.things_ids[rows], signal[rows][:, visual].astype(np.float32), np.full(len(rows), k))
        for rows, k in ((train, 1), (test, SESSIONS))
    )
    return Recording("things_fmri", subject, train_split, test_split, units, rois).check()


def _presentation(train: np.ndarray, test: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the trials of a subject, in order.

    The table has one row per trial, with ``trial_type``, ``session``, ``run`` and ``image``.
    """
    exemplars = rng.permuted(train.reshape(-1, SESSIONS), axis=1)
    kind = np.repeat(["train", "test"], [len(exemplars), len(test)])
    run, sessions = np.arange(len(kind)) * RUNS // len(kind) + 1, []
    for session, main in enumerate(exemplars.T, start=1):
        images, order = np.concatenate([main, test]), rng.permutation(len(kind))
        shown = {"trial_type": kind[order], "session": session, "run": run, "image": images[order]}
        sessions.append(pd.DataFrame(shown))
    return pd.concat(sessions, ignore_index=True)
