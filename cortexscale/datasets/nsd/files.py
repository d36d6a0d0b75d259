"""The released files of NSD: their paths, and functions that read and check them.

The layout is described in the NSD Data Manual (cvnlab.slite.page) and in Allen et al. 2022, Nature Neuroscience 25. Ids count
from 1 in every file except the stimulus table, where they count from 0. Functions of this module return ids that count from 0.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from cortexscale.arrays import member, released_hdf5
from cortexscale.datasets.formats.nifti import Volume, read_volume
from cortexscale.errors import InputError
from cortexscale.files import require_real_file

ROI_VOLUMES = {
    "streams": ("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"),
    "prf-visualrois": ("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"),
    "floc-words": ("OWFA", "VWFA-1", "VWFA-2"),
    "floc-places": ("OPA", "PPA", "RSC"),
    "floc-faces": ("OFA", "FFA-1", "FFA-2"),
    "floc-bodies": ("EBA", "FBA-1", "FBA-2"),
}
"""The labels of each volume that the paper uses. Volumes overlap, so a voxel can have a label in several volumes."""

_SAME_CORTEX = 0.9  # least overlap, intersection over union; it is 1 in the release

ROIS = (*(roi for rois in ROI_VOLUMES.values() for roi in rois), "nsdgeneral", "whole_brain")


class Release:
    """Paths of the files of one subject in a copy of the release.

    ``root`` contains ``nsddata`` and ``nsddata_betas``.
    """

    def __init__(self, root: Path, subject: str, space: str, preparation: str):
        self.root, self.subject = root, subject
        self.betas = root / "nsddata_betas/ppdata" / subject / space / preparation
        self.ncsnr = self.betas / "ncsnr.nii.gz"
        self.responses = root / "nsddata/ppdata" / subject / "behav/responses.tsv"
        self.design = root / "nsddata/experiments/nsd/nsd_expdesign.mat"
        self.stimulus_table = root / "nsddata/experiments/nsd/nsd_stim_info_merged.csv"
        self._rois = root / "nsddata/ppdata" / subject / space / "roi"
        self._labels = root / "nsddata/freesurfer" / subject / "label"

    def session(self, number: int) -> Path:
        return self.betas / f"betas_session{number:02d}.hdf5"

    def roi(self, name: str) -> Path:
        return self._rois / f"{name}.nii.gz"

    def label_names(self, name: str) -> Path:
        return self._labels / f"{name}.mgz.ctab"

    def remedy(self, path: Path) -> str:
        """Say how to get ``path`` again."""
        source = f"s3://natural-scenes-dataset/{path.relative_to(self.root).as_posix()}"
        return f"agree to the NSD terms, then: aws s3 cp --no-sign-request {source} {path}"

    def require(self, path: Path, smallest: int = 1) -> Path:
        """Return ``path``. Raise an InputError unless ``path`` is a data file of at least ``smallest`` bytes."""
        return require_real_file(path, self.remedy(path), smallest)

    def unlike(self, path: Path, found: str, expected: str) -> InputError:
        """Return the error for a file whose content differs from the release."""
        return InputError(path, found, expected, f"the file differs from the release; {self.remedy(path)}")


def require_sessions(release: Release, expected: int) -> None:
    """Raise an InputError unless all beta files of sessions 1 ... ``expected`` exist."""
    missing = [number for number in range(1, expected + 1) if not os.path.lexists(release.session(number))]
    if not missing:
        return
    remedy = release.remedy(release.session(missing[0])) + (" (and so on)" if len(missing) > 1 else "")
    if expected > 3 and missing == [expected - 2, expected - 1, expected]:
        remedy = f"this looks like a download from before August 2023, when the last three sessions were still withheld; {remedy}"
    present = f"{expected - len(missing)} of {expected} sessions of {release.subject}"
    files = f"betas_session01.hdf5 to {release.session(expected).name} (config key `sessions`)"
    raise InputError(release.betas, f"{present}; missing {', '.join(map(str, missing))}", files, remedy)


def read_label_names(release: Release, name: str) -> dict[str, int]:
    """Read the label of each area in the ROI volume ``name`` from the subject's colour table."""
    path = release.require(release.label_names(name))
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {row[1]: int(row[0]) for row in rows}
    except (ValueError, IndexError) as error:
        expected = "a FreeSurfer colour table, first line `0 Unknown`"
        raise release.unlike(path, "lines that are not `<label> <name>`", expected) from error


def read_labels(release: Release, name: str, largest: int, reference: Volume) -> np.ndarray:
    """Read an ROI volume as int16 (X, Y, Z).

    Values are -1 outside cortex, 0 in cortex without a label, and 1 ... ``largest`` for labels. An InputError is raised if the
    volume is not on the grid of the ``reference``.
    """
    path = release.roi(name)
    volume = read_volume(path, release.remedy(path))
    volume.require_grid_of(reference, release.remedy(path))
    labels = np.round(volume.values)
    if not np.array_equal(labels, volume.values) or labels.min() < -1 or labels.max() > largest:
        found = f"values from {np.nanmin(volume.values):g} to {np.nanmax(volume.values):g}"
        raise release.unlike(path, found, f"integers from -1 to {largest}")
    return labels.astype(np.int16)


def read_masks(release: Release, ncsnr: Volume, selection: str) -> dict[str, np.ndarray]:
    """Return boolean masks (X, Y, Z) of all ROIs, on the grid of the released ``ncsnr``.

    The ROI ``whole_brain`` is nsdgeneral. With the selection ``whole_brain``, it has every voxel with an ncsnr.
    """
    first = read_labels(release, "nsdgeneral", 1, ncsnr)
    general, values = first == 1, ncsnr.values
    if not general.any():
        raise release.unlike(release.roi("nsdgeneral"), "no voxel with label 1", "the voxels of nsdgeneral")
    bad = (general & ~np.isfinite(values)) | (values < 0)
    if bad.any():
        raise release.unlike(release.ncsnr, f"{bad.sum()} voxels that are negative, or not finite in nsdgeneral", "ncsnr >= 0")
    masks = {"nsdgeneral": general, "whole_brain": general if selection == "nsdgeneral" else np.isfinite(values)}
    for volume, rois in ROI_VOLUMES.items():
        labels = read_label_names(release, volume)
        if unknown := [roi for roi in rois if roi not in labels]:
            found = f"no label named {', '.join(unknown)}"
            raise release.unlike(release.label_names(volume), found, f"the names {', '.join(rois)}")
        drawn = read_labels(release, volume, max(labels.values()), ncsnr)
        _require_same_cortex(release, volume, drawn, first)
        masks |= {roi: drawn == labels[roi] for roi in rois}
    return masks


def _require_same_cortex(release: Release, name: str, drawn: np.ndarray, first: np.ndarray) -> None:
    """Raise an InputError for a volume whose cortex is not that of nsdgeneral, for example because its data were mirrored."""
    cortex, own = first >= 0, drawn >= 0
    if cortex.all() or own.all():  # a volume that does not mark what lies outside of cortex
        return
    common = (cortex & own).sum() / (cortex | own).sum()
    if common < _SAME_CORTEX:
        found = f"a cortex (values from 0) of which {100 * common:.0f} % is that of {release.roi('nsdgeneral').name}"
        raise release.unlike(release.roi(name), found, "the same cortex: all volumes were made from the surfaces of one subject")


@contextmanager
def open_betas(release: Release, session: int, trials: int, grid: tuple[int, ...]) -> Iterator[h5py.Dataset]:
    """Open the int16 betas (trials, Z, Y, X) of one session, in percent signal change x 300.

    Sessions count from 1. ``grid`` is (X, Y, Z).
    """
    path = release.session(session)
    shape = (trials, *grid[::-1])
    smallest = 2 * int(np.prod(shape))
    with released_hdf5(path, "a whole HDF5 file", release.remedy(path), smallest) as file:
        betas = member(file, "betas")
        if not isinstance(betas, h5py.Dataset):
            raise release.unlike(path, f"the datasets {', '.join(file) or 'none'}", "a dataset `betas`")
        if betas.dtype != np.int16 or betas.shape != shape:
            expected = f"int16 of shape {shape}: {trials} trials on the grid of {release.ncsnr.name}, axes reversed"
            raise release.unlike(path, f"betas {betas.dtype} of shape {betas.shape}", expected)
        yield betas
