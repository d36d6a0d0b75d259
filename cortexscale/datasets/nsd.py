"""NSD: the Natural Scenes Dataset, 7T fMRI of eight subjects (Allen et al. 2022, Nature Neuroscience 25, 116-126).

Single-trial betas -> z-scored within session -> averaged over an image's repetitions. Test images are those that all
subjects share; the noise ceiling is the released ncsnr at the repetitions that the test images really have.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pydantic

from cortexscale.datasets.nsd_average import average_over_repetitions
from cortexscale.datasets.nsd_design import Rows, assign_rows, read_design
from cortexscale.datasets.nsd_files import Release, read_label_names, read_labels, read_volume, require_sessions
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split

log = logging.getLogger(__name__)

SUBJECTS = tuple(f"subj{number:02d}" for number in range(1, 9))

ROI_VOLUMES = {
    "streams": ("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"),
    "prf-visualrois": ("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"),
    "floc-words": ("OWFA", "VWFA-1", "VWFA-2"),
    "floc-places": ("OPA", "PPA", "RSC"),
    "floc-faces": ("OFA", "FFA-1", "FFA-2"),
    "floc-bodies": ("EBA", "FBA-1", "FBA-2"),
}
"""The labels that the paper uses, by the volume they are drawn in. Volumes overlap: a voxel may have a label in each."""

ROIS = (*(roi for rois in ROI_VOLUMES.values() for roi in rois), "nsdgeneral", "whole_brain")


class Options(pydantic.BaseModel, extra="forbid"):
    """What a study may say about NSD. The defaults are the paper's; the counts are those of the release.

    Attributes:
        space, preparation: folder names of the functional space and the GLM; the defaults are 1.8 mm and "b3".
        sessions: sessions to read of each subject. Four subjects did not complete the 40 planned.
        trials_per_session: trials of every session.
        images_per_subject: distinct images planned for each subject, shared ones included.
        shared_images: how many of them are the same for all subjects.
        selection: ``nsdgeneral`` (the paper) or ``whole_brain``: every voxel with a released ncsnr.
        min_nc_percent: units need a noise ceiling above this, in percent of variance. A threshold c on the ceiling of
            r itself is ``100 * c**2`` here.
        test_images: ``shared``: all shared images that the subject saw; ``shared_by_all``: only those shown three times
            to every subject of ``sessions`` (515 in the full release). Shared images are never training images.
        ceiling_repetitions: repetitions behind the noise ceiling: ``mixed``, those that the test images have, or one
            number for all subjects.
        max_voxels: a selection above this is refused; it sets the memory that a job asks for. The largest
            ``nsdgeneral`` has 17,907 voxels.
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
    """The released files that :func:`read` reads for ``subject``.

    Raises:
        InputError: no such subject, or no number of sessions for it.
    """
    release = _release(root, subject, options)
    return [
        *(release.session(number) for number in range(1, options.sessions[subject] + 1)),
        release.ncsnr,
        release.roi("nsdgeneral"),
        *(release.roi(volume) for volume in ROI_VOLUMES),
        *(release.label_names(volume) for volume in ROI_VOLUMES),
        release.design,
        release.stimulus_table,
        release.responses,
    ]


def memory_mb(options: Options) -> int:
    """Peak memory of :func:`read` in MB: responses of all images, once more while voxels are dropped, and the libraries."""
    return 400 + 2 * 4 * options.images_per_subject * options.max_voxels // 10**6


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Train stimuli, test stimuli and at most so many units of one kernel: each subject has train images of its own."""
    return options.images_per_subject - options.shared_images, options.shared_images, options.max_voxels


def read(root: Path, subject: str, options: Options) -> Recording:
    """One subject of NSD.

    Units are voxels, ordered by (i, j, k), their 0-based index in the NIfTI volumes; ``ncsnr`` is the released one.
    Stimulus ids are the 0-based ids of the 73,000 images, as text; both splits are ordered by id. A voxel that is
    constant in a session (it left the slab) is averaged over its other sessions, and dropped if an image has no other.

    Raises:
        InputError: a file is missing, damaged or unlike the release; no voxel passes the selection; no test image.
    """
    release = _release(root, subject, options)
    require_sessions(release, options.sessions[subject])
    rows = _rows(release, options)
    ncsnr_volume = read_volume(release, release.ncsnr)
    masks = _masks(release, ncsnr_volume, options)

    # The order of voxels is fixed here, once, in NIfTI order; everything else is looked up by (i, j, k).
    voxels = np.argwhere(masks["whole_brain"])
    ncsnr = ncsnr_volume[tuple(voxels.T)]
    nc_percent = noise_ceiling_percent(ncsnr, _ceiling_repetitions(rows.counts, rows, options))
    notes = {"sessions": options.sessions[subject], "voxels_selected": len(voxels)}
    passes = nc_percent > options.min_nc_percent
    _require_voxels(release, nc_percent, passes, options)
    voxels, ncsnr, nc_percent = voxels[passes], ncsnr[passes], nc_percent[passes]
    notes["voxels_above_threshold"] = len(voxels)

    averages = average_over_repetitions(release, voxels, rows, ncsnr_volume.shape)
    notes["ncsnr_recomputed"] = _compare(subject, ncsnr, averages.ncsnr)
    notes["constant_voxels_by_session"] = {str(i + 1): int(n) for i, n in enumerate(averages.invalid.sum(axis=1)) if n}
    keep = np.ones(len(voxels), bool)
    for voxel, counts in averages.counts.items():
        keep[voxel] = counts[: rows.test.stop].all()
        if keep[voxel]:
            nc_percent[voxel] = noise_ceiling_percent(ncsnr[voxel], _ceiling_repetitions(counts, rows, options))
            keep[voxel] = nc_percent[voxel] > options.min_nc_percent
    notes["voxels_dropped_for_constant_sessions"] = int((~keep).sum())

    responses = averages.responses
    if not keep.all():
        responses, voxels, ncsnr, nc_percent = responses[:, keep], voxels[keep], ncsnr[keep], nc_percent[keep]
    at = tuple(voxels.T)
    names = ["-".join(map(str, voxel)) for voxel in voxels]
    units = pd.DataFrame({"unit": names, "i": at[0], "j": at[1], "k": at[2], "ncsnr": ncsnr, "nc_percent": nc_percent})
    rois = pd.DataFrame({roi: masks[roi][at] for roi in ROIS})
    notes["empty_rois"] = {roi: _why_empty(masks[roi], masks["whole_brain"]) for roi in ROIS if not rois[roi].any()}
    train, test = (Split(rows.ids[part].astype(str), responses[part], rows.counts[part]) for part in (rows.train, rows.test))
    return Recording("nsd", subject, train, test, units, rois, notes).check()


def _release(root: Path, subject: str, options: Options) -> Release:
    if subject not in SUBJECTS:
        raise InputError("dataset nsd", f"subject {subject}", f"one of {', '.join(SUBJECTS)}", "correct the list of subjects")
    if subject not in options.sessions:
        raise InputError(
            "dataset nsd, key `sessions`", f"no entry for {subject}", "its number of sessions", f"add {subject} to `sessions`"
        )
    return Release(Path(root), subject, options.space, options.preparation)


def _rows(release: Release, options: Options) -> Rows:
    sessions, trials = options.sessions[release.subject], options.trials_per_session
    design = read_design(release, sessions * trials, options.images_per_subject, options.shared_images)
    fewest = min(options.sessions.values()) if options.test_images == "shared_by_all" else 0
    rows = assign_rows(design, sessions, trials, fewest)
    for split, n in (("training", rows.n_train), ("test", rows.n_test)):
        if n == 0:
            found = f"n = 0 {split} images in {sessions} sessions of {release.subject} (`test_images: {options.test_images}`)"
            raise InputError(
                release.design, found, f"at least one {split} image", "read more sessions, or choose other `test_images`"
            )
    return rows


def _masks(release: Release, ncsnr: np.ndarray, options: Options) -> dict[str, np.ndarray]:
    """Boolean (X, Y, Z) masks of all ROIs. ``whole_brain`` is the selection."""
    general = read_labels(release, "nsdgeneral", 1, ncsnr.shape) == 1
    if not general.any():
        raise release.unlike(release.roi("nsdgeneral"), "no voxel with label 1", "the voxels of nsdgeneral")
    bad = (general & ~np.isfinite(ncsnr)) | (ncsnr < 0)
    if bad.any():
        raise release.unlike(release.ncsnr, f"{bad.sum()} voxels that are negative, or not finite in nsdgeneral", "ncsnr >= 0")
    masks = {"nsdgeneral": general, "whole_brain": general if options.selection == "nsdgeneral" else np.isfinite(ncsnr)}
    for volume, rois in ROI_VOLUMES.items():
        labels = read_label_names(release, volume)
        if unknown := [roi for roi in rois if roi not in labels]:
            raise release.unlike(
                release.label_names(volume), f"no label named {', '.join(unknown)}", f"the names {', '.join(rois)}"
            )
        drawn = read_labels(release, volume, max(labels.values()), ncsnr.shape)
        masks |= {roi: drawn == labels[roi] for roi in rois}
    return masks


def _ceiling_repetitions(counts: np.ndarray, rows: Rows, options: Options) -> np.ndarray | int:
    return counts[rows.test] if options.ceiling_repetitions == "mixed" else options.ceiling_repetitions


def _require_voxels(release: Release, nc_percent: np.ndarray, passes: np.ndarray, options: Options) -> None:
    if not passes.any():
        best = f"the best of {len(passes)} in {options.selection} has {nc_percent.max():.1f} %"
        found = f"no voxel above {options.min_nc_percent:g} %; {best}"
        remedy = "lower `min_nc_percent`, or leave this subject out"
        raise InputError(release.ncsnr, found, "noise ceilings above `min_nc_percent`", remedy)
    if passes.sum() > options.max_voxels:
        remedy = "raise `max_voxels`, and with it the memory that the job asks for"
        raise InputError(release.ncsnr, f"{passes.sum()} voxels to read", f"at most {options.max_voxels} (`max_voxels`)", remedy)


def _compare(subject: str, released: np.ndarray, recomputed: np.ndarray) -> dict[str, float]:
    """How far the ncsnr of the betas is from the released one: voxels of another order, or of another subject, stand out."""
    difference = np.abs(recomputed - released)[np.isfinite(recomputed)]
    if not len(difference):
        return {"voxels": 0}
    median, largest = float(np.median(difference)), float(difference.max())
    if median > 0.02:
        log.warning("nsd %s: ncsnr recomputed from the betas differs from the released one by %.3f (median)", subject, median)
    return {"voxels": len(difference), "median_difference": median, "largest_difference": largest}


def _why_empty(mask: np.ndarray, selected: np.ndarray) -> str:
    if not mask.any():
        return "not drawn in this subject"
    return "no voxel above the noise-ceiling threshold" if (mask & selected).any() else "outside the selection"
