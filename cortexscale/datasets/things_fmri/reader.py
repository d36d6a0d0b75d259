"""THINGS-fMRI: 3T fMRI of three subjects who saw 8,740 images of objects (Hebart et al. 2023, eLife 12:e82580).

Released single-trial responses are GLM weights without a physical unit. They are z-scored per voxel, and averaged over the 12
repetitions of test images. Only voxels above the noise-ceiling threshold are read, because a subject's table of responses has 15
to 18 GB.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, PositiveInt

from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.datasets.screening import first_reason, reason_counts
from cortexscale.datasets.things_fmri.average import BLOCK_BYTES, moments_and_ceiling, zscored_averages
from cortexscale.datasets.things_fmri.files import Release, find_release, open_responses
from cortexscale.datasets.things_fmri.tables import ROI_COLUMNS, SECOND_VERSION_ROIS, Trials, read_trials, read_voxels
from cortexscale.errors import InputError
from cortexscale.recording import Recording, Split

SUBJECTS = ("sub-01", "sub-02", "sub-03")
ROIS = (*ROI_COLUMNS, "whole_brain")
SOURCE = all_facts()["things_fmri"].source

_AGREEMENT = 2.0
"""Largest allowed median difference, in percentage points, between released ceilings and ceilings computed from the trials. In
the release it is near 0, because both ceilings are computed from the same trials. If two of the twelve sessions are exchanged, a
third of the signal is lost: a ceiling of 15 % falls by 4 points, and one of 30 % by 8 points."""


class Options(BaseModel, extra="forbid"):
    """Options of THINGS-fMRI. Defaults are those of the paper, and default counts are those of the release."""

    n_train: PositiveInt = Field(8640, description="Number of training images. Each is presented once.")
    n_test: int = Field(100, ge=2, description="Number of test images.")
    n_repetitions: int = Field(12, ge=2, description="Number of presentations of every test image.")
    n_voxels: dict[str, PositiveInt] = Field(
        dict(zip(SUBJECTS, (211_339, 226_950, 189_164), strict=True)),
        description="Number of rows in each subject's tables.",
    )
    voxel_metadata: Literal["v2", "v1"] = Field(
        "v2",
        description="Version of the voxel table. `v1` has neither IT nor the Glasser areas, so these ROIs are empty with it.",
    )
    selection: Literal["whole_brain", "rois"] = Field(
        "whole_brain",
        description="`whole_brain` selects from all voxels, as the paper does; most voxels that pass are then noise. `rois` "
        "selects from the voxels of any ROI.",
    )
    min_nc_percent: float = Field(
        10,
        ge=0,
        lt=100,
        description="Smallest noise ceiling of a unit, in percent of variance. A ceiling c on the scale of r is `100 * c**2` "
        "percent.",
    )
    noise_ceiling: Literal["released", "recomputed"] = Field(
        "released",
        description="`released` takes the noise ceilings of the column `nc_testset`, as the paper does. `recomputed` "
        "estimates them from the single trials of all voxels.",
    )
    zscore: Literal["split", "train", "session"] = Field(
        "split",
        description="Trials whose mean and standard deviation standardise a voxel. `split` uses training trials for training "
        "responses and test trials for test responses. `train` uses training trials for both. `session` uses all "
        "trials of each session.",
    )
    max_voxels: PositiveInt = Field(
        100_000,
        description="Largest number of voxels that may be selected; more are an error. Jobs ask for memory for this number.",
    )


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the released files of ``subject``, with responses, trials and voxels. They need not exist."""
    return _release(root, subject, options).files


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check both tables, and the header and the voxels of the responses."""
    release, trials, voxels, _ = _tables(root, subject, options)
    with open_responses(release, voxels["voxel_id"].to_numpy(), len(trials.session)):
        pass


def count_units(root: Path, subject: str, options: Options, above: float) -> tuple[Path, dict[str, int]]:
    """Count the voxels of each ROI with a released noise ceiling above ``above`` percent. Return the voxel table as well."""
    release = _release(root, subject, options)
    voxels = read_voxels(release, options.n_voxels[subject], options.n_repetitions, options.voxel_metadata)
    rois = [roi for roi in ROI_COLUMNS if options.voxel_metadata == "v2" or roi not in SECOND_VERSION_ROIS]
    return release.voxels, {roi: int(voxels.loc[voxels["nc_testset"] > above, roi].sum()) for roi in rois}


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB.

    It is the memory of libraries, the voxel table, the responses of selected voxels, and blocks.
    """
    table = 1500 * max(options.n_voxels.values(), default=0)
    responses = 4 * (options.n_train + options.n_test) * options.max_voxels
    return 250 + (table + responses + BLOCK_BYTES) // 10**6


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training stimuli, of test stimuli, and of units of all subjects. All subjects saw the same images."""
    return options.n_train, options.n_test, options.max_voxels * len(subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one subject. Units are voxels in the order of the release. Both splits are ordered by stimulus id.

    ``i``, ``j``, ``k`` are indices into the subject's volumes, counted from 0. The unit columns ``train_mean``, ``train_sd``,
    ``test_mean`` and ``test_sd`` describe the single trials before the z-score.
    """
    release, trials, voxels, candidate = _tables(root, subject, options)
    with open_responses(release, voxels["voxel_id"].to_numpy(), len(trials.session)) as responses:
        moments, damage = moments_and_ceiling(responses, np.flatnonzero(candidate), trials)
        path, every = release.responses, np.ones(len(moments), bool)
        damage.require_little(path, every, "trial_id", "voxels", release.remedy(path), first=0)
        moments = moments.reindex(voxels.index)
        recomputed = moments.pop("recomputed")
        agreement = _compare(release, voxels["nc_testset"], recomputed, options)
        ceiling = voxels["nc_testset"] if options.noise_ceiling == "released" else recomputed
        above = candidate & (ceiling > options.min_nc_percent).to_numpy()
        conditions = {
            f"noise ceiling is not above {options.min_nc_percent:g} %": ~above,
            "missing or constant responses": moments.isna().any(axis=1).to_numpy(),
        }
        reasons = first_reason(conditions)
        kept = reasons == ""
        _require_voxels(release, kept, ceiling, options)
        train, test = zscored_averages(responses, np.flatnonzero(kept), trials, options.zscore)

    names = [f"voxel{number:06d}" for number in voxels["voxel_id"]]
    units = pd.DataFrame({"unit": names, **voxels[["i", "j", "k"]], "nc_percent": ceiling, **moments})
    rois = voxels[list(ROIS)]
    statistics = pd.DataFrame({"kept": kept, "reason": reasons, "released": voxels["nc_testset"], "recomputed": recomputed})
    screening = pd.concat([units[["unit", "nc_percent"]], statistics, rois], axis=1)[voxels["whole_brain"]]
    notes = {
        "files": [file.name for file in release.files],
        "voxels_selected": len(screening),
        "voxels_above_threshold": int(above.sum()),
        "dropped_units": reason_counts(screening["reason"].to_numpy()),
        "zscore": options.zscore,
        "released_statistic": "nc_testset",
        "nc_testset_recomputed": agreement,
        "empty_rois": {roi: _why_empty(roi, rois, options) for roi in ROIS if not rois.loc[kept, roi].any()},
    }
    return Recording(
        dataset="things_fmri",
        subject=subject,
        train=Split(trials.train_ids, train, np.ones(options.n_train, int)),
        test=Split(trials.test_ids, test, np.full(options.n_test, options.n_repetitions)),
        units=units[kept].reset_index(drop=True),
        rois=rois[kept].reset_index(drop=True),
        notes=notes,
        screening=screening.reset_index(drop=True),
    ).check()


def _release(root: Path, subject: str, options: Options) -> Release:
    require_known([subject], SUBJECTS, "subjects of THINGS-fMRI")
    if subject not in options.n_voxels:
        where, remedy = "dataset things_fmri, key `n_voxels`", f"add {subject} to `n_voxels`"
        raise InputError(where, f"no entry for {subject}", "its number of voxels", remedy)
    return find_release(root, subject)


def _tables(root: Path, subject: str, options: Options) -> tuple[Release, Trials, pd.DataFrame, np.ndarray]:
    """Return the files, the trials, the voxels with all ROIs, and which voxels to read.

    The ROI ``whole_brain`` has all voxels of the selection.
    """
    release = _release(root, subject, options)
    trials = read_trials(release, options.n_train, options.n_test, options.n_repetitions)
    voxels = read_voxels(release, options.n_voxels[subject], options.n_repetitions, options.voxel_metadata)
    voxels["whole_brain"] = True if options.selection == "whole_brain" else voxels[list(ROI_COLUMNS)].any(axis=1)
    candidate = voxels["whole_brain"].to_numpy()
    if options.noise_ceiling == "released":
        candidate = candidate & (voxels["nc_testset"] > options.min_nc_percent).to_numpy()
        _require_voxels(release, candidate, voxels["nc_testset"], options)
    return release, trials, voxels, candidate


def _require_voxels(release: Release, passes: np.ndarray, ceiling: pd.Series, options: Options) -> None:
    if not passes.any():
        found = f"no voxel above {options.min_nc_percent:g} %; the best of {len(ceiling)} has {ceiling.max():.1f} %"
        remedy = "lower `min_nc_percent`, or leave this subject out"
        raise InputError(release.voxels, found, "noise ceilings above `min_nc_percent`", remedy)
    if passes.sum() > options.max_voxels:
        remedy = "raise `max_voxels`, and with it the memory that the job asks for; or set `selection: rois`"
        found = f"{passes.sum():,} voxels to read"
        raise InputError(release.voxels, found, f"at most {options.max_voxels:,} (`max_voxels`)", remedy)


def _compare(release: Release, released: pd.Series, recomputed: pd.Series, options: Options) -> dict[str, float]:
    """Compare noise ceilings of the single trials with released ones. Large differences reveal that the trials are in another
    order."""
    both = recomputed.notna() & (released > options.min_nc_percent)
    if not both.any():
        return {"voxels": 0}
    difference = (recomputed - released)[both].abs()
    median, largest = float(difference.median()), float(difference.max())
    if median > _AGREEMENT:
        found = (
            f"trials that give ceilings of {recomputed[both].median():.1f} % (median), {median:.1f} points from the released ones"
        )
        expected = (
            f"{released[both].median():.1f} %, the nc_testset of these voxels, and at most {_AGREEMENT:g} points between them"
        )
        remedy = "sessions were exchanged, or rows or columns of the responses are not those of the two tables"
        raise InputError(release.responses, found, expected, f"{remedy}; take all three files from one release")
    return {"voxels": int(both.sum()), "median_difference": median, "largest_difference": largest}


def _why_empty(roi: str, rois: pd.DataFrame, options: Options) -> str:
    if options.voxel_metadata == "v1" and roi in SECOND_VERSION_ROIS:
        return "not in version 1 of the voxel table"
    return "no voxel above the noise-ceiling threshold" if rois[roi].any() else "not drawn in this subject"
