"""NSD: the Natural Scenes Dataset, 7T fMRI of eight subjects (Allen et al. 2022, Nature Neuroscience 25, 116-126).

Single-trial betas are z-scored within each session and averaged over the repetitions of an image. The shared images are the test
images. The noise ceiling follows from the released ncsnr and the actual numbers of repetitions of the test images.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pydantic

from cortexscale.datasets.formats.nifti import read_volume
from cortexscale.datasets.nsd.agreement import require_released_ncsnr, require_sessions_agree
from cortexscale.datasets.nsd.average import average_over_repetitions
from cortexscale.datasets.nsd.design import Rows, assign_rows, read_design
from cortexscale.datasets.nsd.files import ROI_VOLUMES, ROIS, Release, open_betas, read_masks, require_sessions
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.screening import first_reason, reason_counts
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split

SUBJECTS = tuple(f"subj{number:02d}" for number in range(1, 9))
SOURCE = all_facts()["nsd"].source


class Options(pydantic.BaseModel, extra="forbid"):
    """Options of NSD. Defaults are those of the paper, and default counts are those of the release.

    Attributes:
        space: folder name of the functional space. The default is the space with a resolution of 1.8 mm.
        preparation: folder name of the GLM. The default is the GLM "b3".
        sessions: number of sessions that are read, for each subject. Four subjects did not complete the 40 planned sessions.
        trials_per_session: number of trials in every session.
        images_per_subject: planned number of distinct images of each subject, including shared images.
        shared_images: planned number of images that all subjects see.
        selection: ``nsdgeneral`` selects from the voxels of this ROI, as the paper does. ``whole_brain`` selects from all voxels
            with a released ncsnr.
        min_nc_percent: keep units whose noise ceiling is above this value, in percent of variance. A ceiling c on the scale of
            r is ``100 * c**2`` percent.
        test_images: ``shared`` takes all shared images that the subject saw. ``shared_by_all`` takes only images that every
            subject of ``sessions`` saw three times (515 in the full release). Shared images are never training images.
        ceiling_repetitions: number of repetitions at which the noise ceiling is calculated. ``mixed`` uses the number of
            repetitions that each test image has. A number is used for all subjects.
        max_voxels: largest number of voxels that may be selected; more are an error. Jobs ask for memory for this number. The
            largest ``nsdgeneral`` has 17,907 voxels.
    """

    space: str = "func1pt8mm"
    preparation: str = "betas_fithrf_GLMdenoise_RR"
    sessions: dict[str, pydantic.PositiveInt] = dict(zip(SUBJECTS, (40, 40, 32, 30, 40, 32, 40, 30), strict=True))
    trials_per_session: pydantic.PositiveInt = 750
    images_per_subject: pydantic.PositiveInt = 10_000
    shared_images: pydantic.PositiveInt = 1_000
    selection: Literal["nsdgeneral", "whole_brain"] = "nsdgeneral"
    min_nc_percent: float = pydantic.Field(default=10, ge=0, lt=100)
    test_images: Literal["shared", "shared_by_all"] = "shared"
    ceiling_repetitions: Literal["mixed"] | pydantic.PositiveInt = "mixed"
    max_voxels: pydantic.PositiveInt = 18_000


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the released files of ``subject``.

    An InputError is raised if the subject or its number of sessions is unknown.
    """
    release = _release(root, subject, options)
    betas = [release.session(number) for number in range(1, options.sessions[subject] + 1)]
    rois = [release.roi(volume) for volume in ("nsdgeneral", *ROI_VOLUMES)]
    labels = [release.label_names(volume) for volume in ROI_VOLUMES]
    return [*betas, release.ncsnr, *rois, *labels, release.design, release.stimulus_table, release.responses]


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB: libraries, the responses, and their copy while voxels are dropped."""
    return 400 + 2 * 4 * options.images_per_subject * options.max_voxels // 10**6


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training stimuli and test stimuli, and the largest number of units of a subject.

    Subjects do not share a kernel, because each has training images of its own.
    """
    return options.images_per_subject - options.shared_images, options.shared_images, options.max_voxels


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check the design, the labels, the noise ceilings, and the file header of every session."""
    _look(_release(root, subject, options), options)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one subject of NSD.

    Units are voxels, ordered by their index (i, j, k) in the NIfTI volumes, which counts from 0. ``ncsnr`` is the released value.
    Stimulus ids are the ids of the 73,000 images as text, counted from 0. Both splits are ordered by id. A voxel that left the
    slab in a session is constant in this session. Such a voxel is averaged over its other sessions. It is dropped if an image
    has no trial in the other sessions.
    """
    release = _release(root, subject, options)
    rows, masks, voxels = _look(release, options)
    passes = (voxels["nc_percent"] > options.min_nc_percent).to_numpy()
    places = voxels.loc[passes, ["i", "j", "k"]].to_numpy()
    released = voxels["ncsnr"].to_numpy()
    averages = average_over_repetitions(release, places, released[passes], rows, masks["nsdgeneral"].shape)
    require_sessions_agree(release, averages.z, rows, released[passes][averages.witnesses])
    no_other = np.zeros(len(voxels), bool)  # whether an image has no trial outside the sessions in which the voxel is constant
    for voxel, counts in averages.counts.items():
        place = voxels.index[passes][voxel]
        no_other[place] = not counts[: rows.test.stop].all()
        if not no_other[place]:
            repetitions = _ceiling_repetitions(counts, rows, options)
            voxels.loc[place, "nc_percent"] = noise_ceiling_percent(voxels.loc[place, "ncsnr"], repetitions)

    stuck, recomputed = np.zeros(len(voxels), bool), np.full(len(voxels), np.nan)
    stuck[passes], recomputed[passes] = averages.stuck, averages.ncsnr
    low = f"noise ceiling is not above {options.min_nc_percent:g} %"
    above = (voxels["nc_percent"] > options.min_nc_percent).to_numpy()
    conditions = {
        low: ~passes,
        "equal responses in a row": stuck,
        "constant in a session, and an image was shown in no other": no_other,
        f"{low} without the sessions in which it is constant": ~above,
    }
    reasons = first_reason(conditions)
    kept = reasons == ""
    rois = pd.DataFrame({roi: masks[roi][masks["whole_brain"]] for roi in ROIS})
    notes = {
        "sessions": options.sessions[subject],
        "voxels_selected": len(voxels),
        "voxels_above_threshold": int(passes.sum()),
        "released_statistic": "ncsnr",
        "ceiling_stimuli": max(int((rows.counts == 3).sum()), len(rows.ids[rows.test])),
        "ncsnr_recomputed": require_released_ncsnr(release, released, recomputed, int((rows.counts == 3).sum())),
        "constant_voxels_by_session": {str(i + 1): int(n) for i, n in enumerate(averages.invalid.sum(axis=1)) if n},
        "dropped_units": reason_counts(reasons),
        "empty_rois": {roi: _why_empty(masks[roi], masks["whole_brain"]) for roi in ROIS if not rois.loc[kept, roi].any()},
    }
    responses = averages.responses if kept[passes].all() else averages.responses[:, kept[passes]]
    train, test = (Split(rows.ids[part].astype(str), responses[part], rows.counts[part]) for part in (rows.train, rows.test))
    statistics = pd.DataFrame({"kept": kept, "reason": reasons, "released": voxels["ncsnr"], "recomputed": recomputed})
    screening = pd.concat([voxels[["unit", "nc_percent"]], statistics, rois], axis=1)
    units, rois = (table[kept].reset_index(drop=True) for table in (voxels, rois))
    return Recording("nsd", subject, train, test, units, rois, notes, screening).check()


def _look(release: Release, options: Options) -> tuple[Rows, dict[str, np.ndarray], pd.DataFrame]:
    """Check everything except the betas. Return the rows of images, masks of ROIs, and selected voxels in the order of NIfTI."""
    require_sessions(release, options.sessions[release.subject])
    rows = _rows(release, options)
    volume = read_volume(release.ncsnr, release.remedy(release.ncsnr))
    masks, ncsnr = read_masks(release, volume, options.selection), volume.values
    places = np.argwhere(masks["whole_brain"])
    voxels = pd.DataFrame(places, columns=["i", "j", "k"])
    voxels.insert(0, "unit", ["-".join(map(str, place)) for place in places])
    voxels["ncsnr"] = ncsnr[masks["whole_brain"]]
    voxels["nc_percent"] = noise_ceiling_percent(voxels["ncsnr"].to_numpy(), _ceiling_repetitions(rows.counts, rows, options))
    _require_voxels(release, voxels["nc_percent"], voxels["nc_percent"] > options.min_nc_percent, options)
    for session in range(1, options.sessions[release.subject] + 1):
        with open_betas(release, session, options.trials_per_session, ncsnr.shape):
            pass
    return rows, masks, voxels


def _release(root: Path, subject: str, options: Options) -> Release:
    require_known([subject], SUBJECTS, "subjects of NSD")
    if subject not in options.sessions:
        where, remedy = "dataset nsd, key `sessions`", f"add {subject} to `sessions`"
        raise InputError(where, f"no entry for {subject}", "its number of sessions", remedy)
    return Release(Path(root), subject, options.space, options.preparation)


def _rows(release: Release, options: Options) -> Rows:
    sessions, trials = options.sessions[release.subject], options.trials_per_session
    design = read_design(release, sessions * trials, options.images_per_subject, options.shared_images)
    fewest = min(options.sessions.values()) if options.test_images == "shared_by_all" else 0
    rows = assign_rows(design, sessions, trials, fewest)
    for split, part in (("training", rows.train), ("test", rows.test)):
        if part.start == part.stop:
            found = f"n = 0 {split} images in {sessions} sessions of {release.subject} (`test_images: {options.test_images}`)"
            remedy = "read more sessions, or choose other `test_images`"
            raise InputError(release.design, found, f"at least one {split} image", remedy)
    return rows


def _ceiling_repetitions(counts: np.ndarray, rows: Rows, options: Options) -> np.ndarray | int:
    return counts[rows.test] if options.ceiling_repetitions == "mixed" else options.ceiling_repetitions


def _require_voxels(release: Release, nc_percent: pd.Series, passes: pd.Series, options: Options) -> None:
    if not passes.any():
        best = f"the best of {len(passes)} in {options.selection} has {nc_percent.max():.1f} %"
        found, expected = f"no voxel above {options.min_nc_percent:g} %; {best}", "noise ceilings above `min_nc_percent`"
        raise InputError(release.ncsnr, found, expected, "lower `min_nc_percent`, or leave this subject out")
    if passes.sum() > options.max_voxels:
        remedy = "raise `max_voxels`, and with it the memory that the job asks for"
        raise InputError(release.ncsnr, f"{passes.sum()} voxels to read", f"at most {options.max_voxels} (`max_voxels`)", remedy)


def _why_empty(mask: np.ndarray, selected: np.ndarray) -> str:
    """Say why an ROI has no unit. ``mask`` has the voxels of the ROI, and ``selected`` has all examined voxels, (X, Y, Z)."""
    if not mask.any():
        return "not drawn in this subject"
    return "no voxel above the noise-ceiling threshold" if (mask & selected).any() else "outside the selection"
