"""Reading of the trial table and the voxel table of THINGS-fMRI. Both tables are checked against the release."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.datasets.things_fmri.files import FIGSHARE, SEPARATORS, Release, read_columns
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.text_tables import column_names

_SIDED = tuple(f"{side}{area}" for area in ("EBA", "FFA", "OFA", "PPA", "RSC", "TOS", "LOC") for side in "lr")
_RENAMED = {"V4": "hV4", "LO1": "LO1 (prf)", "LO2": "LO2 (prf)"}
_GLASSER_IT = ("TE1p", "TE2p", "FFC", "VVC", "VMV2", "VMV3", "PHA1", "PHA2", "PHA3")

ROI_COLUMNS: dict[str, tuple[str, ...]] = {
    roi: (_RENAMED.get(roi, roi),)
    for roi in ("V1", "V2", "V3", "V4", "VO1", "VO2", "LO1", "LO2", "TO1", "TO2", "V3a", "V3b", *_SIDED, "IT")
} | {"IT_glasser": tuple(f"glasser-{area}" for area in _GLASSER_IT)}
"""The columns of the voxel table that form each ROI. The columns of ``IT_glasser`` are from the authors' notebook on ROIs."""

_NUMBERS = ("voxel_id", "subject_id", "voxel_x", "voxel_y", "voxel_z", "nc_singletrial", "nc_testset")

SECOND_VERSION_ROIS = ("IT", "IT_glasser")  # ROIs that are not in the first version of the voxel table


@dataclass(frozen=True)
class Trials:
    """The trials in which one subject saw each image."""

    train_ids: np.ndarray  # (n,) THINGS ids, ascending
    test_ids: np.ndarray  # (m,) THINGS ids, ascending
    train: np.ndarray  # (n,) trial of each training image
    test: np.ndarray  # (repetitions, m) trials of each test image, in order of presentation
    session: np.ndarray  # (trials,) session of every trial, 1 ...


def read_trials(release: Release, n_train: int, n_test: int, n_repetitions: int) -> Trials:
    """Read the trial table. Its order differs between subjects, so images are matched by name, and ids are sorted."""
    path = release.trials
    table = read_columns(release, path, ["session", "subject_id", "trial_id"], ["trial_type", "stimulus", "concept"])
    _require_rows(release, path, table, "trial_id", "column")
    if not (table["session"] >= 1).all():
        raise release.unlike(path, "sessions that are not numbered 1, 2 ...", "session numbers from 1")
    if unknown := set(table["trial_type"]) - {"train", "test"}:
        raise release.unlike(path, f"trials of type {', '.join(map(str, unknown))}", "train and test trials only")
    stem = table["stimulus"].str.rpartition("_")[0]
    if (wrong := stem != table["concept"]).any():
        first = table[wrong].iloc[0]
        raise release.unlike(path, f"the concept {first['concept']} of {first['stimulus']}", "<concept>_<number>.jpg")
    table["id"] = table["concept"] + "/" + table["stimulus"]

    ids, rows = {}, {}
    for split, images, shown in (("train", n_train, 1), ("test", n_test, n_repetitions)):
        of_split = table[table["trial_type"] == split]
        counts = of_split["id"].value_counts()
        if len(counts) != images or set(counts) != {shown}:
            seen = f"{counts.min()} to {counts.max()} times" if len(counts) else "never"
            found, expected = f"{len(counts)} {split} images shown {seen}", f"{images} images shown {shown} times"
            remedy = f"{release.remedy(path)}; if the file is partial or simulated on purpose, set the counts of the options"
            raise InputError(path, found, expected, remedy)
        ordered = of_split.sort_values("id", kind="stable")  # a stable sort keeps repetitions in the order of presentation
        ids[split] = ordered["id"].to_numpy().astype(str)[::shown]
        rows[split] = ordered.index.to_numpy().reshape(images, shown).T
    if both := set(ids["train"]) & set(ids["test"]):
        raise release.unlike(path, f"{len(both)} images in both splits, e.g. {min(both)}", "train and test share no image")
    return Trials(ids["train"], ids["test"], rows["train"][0], rows["test"], table["session"].to_numpy(int))


def read_voxels(release: Release, n_voxels: int, n_repetitions: int, version: str) -> pd.DataFrame:
    """Read ``voxel_id``, ``i``, ``j``, ``k`` (counted from 0), ``nc_testset`` (percent) and a boolean per ROI for every voxel.

    With the version ``v1``, ``IT`` and ``IT_glasser`` are empty.
    """
    path = release.voxels
    _require_version(release, version)
    rois = {roi: columns for roi, columns in ROI_COLUMNS.items() if version == "v2" or roi not in SECOND_VERSION_ROIS}
    drawn = [column for columns in rois.values() for column in columns]
    table = read_columns(release, path, [*_NUMBERS, *drawn])
    if len(table) != n_voxels:
        remedy = f"{release.remedy(path)}; if the file is partial or simulated on purpose, set `n_voxels`"
        raise InputError(path, f"{len(table):,} voxels", f"{n_voxels:,} (`n_voxels` of {release.subject})", remedy)
    _require_rows(release, path, table, "voxel_id", "row")
    _check_ceilings(release, table, n_repetitions)
    if not table[drawn].isin((0, 1)).to_numpy().all():
        bad = [column for column in drawn if not table[column].isin((0, 1)).all()]
        raise release.unlike(path, f"values other than 0 and 1 in {', '.join(bad)}", "0 or 1, whether a voxel is in the ROI")
    integers = {"voxel_id": "voxel_id", "i": "voxel_x", "j": "voxel_y", "k": "voxel_z"}
    columns = {name: table[column].to_numpy(int) for name, column in integers.items()}
    none = np.zeros(n_voxels, bool)
    members = {roi: table[list(rois[roi])].any(axis=1).to_numpy() if roi in rois else none for roi in ROI_COLUMNS}
    return pd.DataFrame({**columns, "nc_testset": table["nc_testset"], **members})


def _require_version(release: Release, version: str) -> None:
    """Raise an InputError unless the voxel table has the version that the options give."""
    names = column_names(release.voxels, SEPARATORS, release.remedy(release.voxels))
    missing = [column for roi in SECOND_VERSION_ROIS for column in ROI_COLUMNS[roi] if column not in names]
    if version == "v2" and missing:
        found = f"{len(names)} columns, without {', '.join(missing)}: the first version of the table"
        remedy = f"fetch {FIGSHARE}; or set `voxel_metadata: v1`, which leaves IT and IT_glasser empty"
        raise InputError(release.voxels, found, "the second version, 222 columns", remedy)
    if version == "v1" and not missing:
        found, expected = f"{len(names)} columns: the second version of the table", "the first version, 41 columns"
        raise InputError(release.voxels, found, f"{expected} (`voxel_metadata: v1`)", "set `voxel_metadata: v2`")


def _require_rows(release: Release, path: Path, table: pd.DataFrame, key: str, place: str) -> None:
    """Raise an InputError unless all rows belong to the subject, and ``key`` numbers them in the order of the responses."""
    number = int(release.subject.removeprefix("sub-"))
    others = table.loc[table["subject_id"] != number, "subject_id"]
    if len(others):
        raise release.unlike(path, f"rows of subject_id {others.iloc[0]:g}", f"subject_id {number}, as the file name says")
    if not np.array_equal(table[key], np.arange(len(table))):
        raise release.unlike(path, f"{key} that does not count 0, 1, 2 ...", f"{key} = {place} of the responses")


def _check_ceilings(release: Release, table: pd.DataFrame, n_repetitions: int) -> None:
    """Raise an InputError unless the two released ceilings are percentages and match each other.

    One ceiling is for a single trial, the other ceiling is for the average of ``n_repetitions`` trials.
    """
    path = release.voxels
    single, average = (table[name].to_numpy() for name in ("nc_singletrial", "nc_testset"))
    for name, values in (("nc_singletrial", single), ("nc_testset", average)):
        if not ((values >= 0) & (values <= 100)).all():
            raise release.unlike(path, f"{name} from {np.nanmin(values):g} to {np.nanmax(values):g}, or not finite", "0 to 100 %")
    if 0 < average.max() <= 1:
        raise release.unlike(path, f"a largest nc_testset of {average.max():g}: fractions", "percent of variance, 0 to 100")
    with np.errstate(divide="ignore"):
        expected = noise_ceiling_percent(np.sqrt(single / (100 - single)), n_repetitions)
    if (difference := np.abs(expected - average).max()) > 0.1:
        found = f"nc_testset up to {difference:.1f} from what nc_singletrial gives for {n_repetitions} repetitions"
        raise release.unlike(path, found, "ceilings of one trial and of the average of all repetitions")
