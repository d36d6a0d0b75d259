"""A simulation of NSD, with the images that subjects see, the responses of their voxels, and the true responses."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt

from cortexscale.datasets.nsd.files import ROIS
from cortexscale.datasets.nsd.reader import SUBJECTS
from cortexscale.datasets.nsd.simulated_cortex import PARCELS, lay_out_cortex
from cortexscale.datasets.nsd.simulated_files import (
    TRIALS,
    Experiment,
    plan_experiment,
    single_trials,
    write_shared,
    write_subject,
)
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import World


def area(parcel: str) -> str:
    """Return the area of the visual system from which a parcel of the cortex reads."""
    if parcel.startswith(("V1", "V2", "V3")):
        return "early"
    return "middle" if parcel in ("hV4", "OWFA", "OFA", "OPA") else "late"


AREAS = {roi: area(parcel) for parcel, rois in PARCELS.items() for roi in rois if roi in ROIS}
"""ROI -> the area from which all of its parcels read. ``nsdgeneral`` and ``whole_brain`` are left out, because their parcels
read from several areas."""

_SHAPES = ((12, 15, 11), (13, 14, 12), (11, 16, 12), (12, 13, 14), (14, 12, 13), (11, 15, 13), (13, 15, 11), (12, 16, 11))
GRIDS = dict(zip(SUBJECTS, _SHAPES, strict=True))
"""The shape of each subject's voxel grid. The axes of a grid differ in length, so that a forgotten transpose is noticed."""

ABSENT = {"subj03": ("FFA-2",)}  # subject -> labels that were not drawn in this subject


class Settings(BaseModel, extra="forbid"):
    """Size of the simulated experiment. The release has 1,000 shared images, 40 planned sessions and 8 subjects."""

    shared_images: PositiveInt = Field(250, description="Number of images that all subjects see.")
    planned_sessions: PositiveInt = Field(
        3,
        description="Number of planned sessions. A session has 750 trials: 250 images of the subject, each planned three times.",
    )
    sessions: dict[str, PositiveInt] = Field(
        {"subj01": 3, "subj02": 3, "subj03": 2}, description="Number of sessions that each subject completed."
    )
    voxels_per_parcel: PositiveInt = Field(
        15, description="Number of voxels in each of the 20 parcels of the cortex. A voxel belongs to several ROIs."
    )


def simulate(root: Path, subjects: Sequence[str], world: World, settings: Settings, seed: int) -> Iterator[tuple[str, Recording]]:
    """Write the released files and the images. Yield the truth of each subject: noise-free responses and true noise ceilings."""
    numbers = {subject: SUBJECTS.index(subject) + 1 for subject in subjects}
    experiment = plan_experiment(max(numbers.values()), settings.planned_sessions, settings.shared_images, seed)
    images, _ = render(experiment.n_images, seed + 1, world.size)
    write_shared(Path(root), experiment, images)
    latents = world.brain.look(images)
    for subject, number in numbers.items():
        yield subject, _simulate_subject(Path(root), subject, world, latents, experiment, settings, seed + 100 * number)


def _simulate_subject(
    root: Path, subject: str, world: World, latents: dict[str, np.ndarray], experiment: Experiment, settings: Settings, seed: int
) -> Recording:
    """Simulate one subject. As in the release, one voxel is invalid in one session (here the last)."""
    rng = np.random.default_rng(seed)
    cortex = lay_out_cortex(GRIDS[subject], settings.voxels_per_parcel, seed, absent=ABSENT.get(subject, ()))
    images = experiment.subject_images[SUBJECTS.index(subject)]
    areas = [area(parcel) for parcel in cortex.parcel]
    signal = world.brain.signal({area: values[images] for area, values in latents.items()}, areas, seed)
    ncsnr = ncsnr_of_ceiling(rng.uniform(25, 80, len(areas)), 3)
    shown = experiment.ordering[: settings.sessions[subject] * TRIALS]
    trials = single_trials(signal, shown, ncsnr, seed=seed + 1)
    trials[-TRIALS:, 0] = 0
    write_subject(root, subject, experiment, cortex, trials)

    counts = np.bincount(shown, minlength=len(images))
    columns = np.arange(len(images))
    test, train = (columns[part & (counts > 0)] for part in (columns < experiment.n_shared, columns >= experiment.n_shared))
    names = ["-".join(map(str, voxel)) for voxel in cortex.voxels]
    units = pd.DataFrame({"unit": names, "nc_percent": noise_ceiling_percent(ncsnr, counts[test])})
    members = {roi: cortex.members(roi) for roi in ROIS if roi != "whole_brain"}
    rois = pd.DataFrame({**members, "whole_brain": members["nsdgeneral"]})
    train_split, test_split = (
        Split(images[part].astype(str), signal[part].astype(np.float32), counts[part]) for part in (train, test)
    )
    return Recording("nsd", subject, train_split, test_split, units, rois).check()
