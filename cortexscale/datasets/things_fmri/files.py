"""The released tables of THINGS-fMRI: their paths, and functions that read and check them.

Two releases have the same three tables per subject: ``betas_csv`` on Figshare+ (article 20492835), and the derivatives of
OpenNeuro ds004192, in which ``.tsv`` files are separated by commas. The layout is described in Hebart et al. 2023, eLife
12:e82580, and in the authors' code (ViCCo-Group/THINGS-data). Rows of the responses are voxels, and columns are trials.
"""

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cortexscale.arrays import member, released_hdf5
from cortexscale.errors import InputError
from cortexscale.listing import folders_in
from cortexscale.text_tables import read_table

FIGSHARE = "betas_csv.zip of Figshare+ article 20492835, version 2 (doi 10.25452/figshare.plus.20492835)"
_FIGSHARE_NAMES = ("ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv")
_OPENNEURO_NAMES = ("voxel-wise-responses.h5", "stimulus-metadata.tsv", "voxel-metadata.tsv")

SEPARATORS = ",\t"  # tables that were downloaded elsewhere may be separated by tabs


@dataclass(frozen=True)
class Release:
    """The three files of one subject: an HDF5 file of single-trial responses, a table of trials, and a table of voxels."""

    subject: str
    responses: Path
    trials: Path
    voxels: Path

    @property
    def files(self) -> list[Path]:
        return [self.responses, self.trials, self.voxels]

    def remedy(self, path: Path) -> str:
        """Say how to get ``path`` again."""
        if "_task-things_" in path.name:
            source = f"s3://openneuro.org/ds004192/derivatives/ICA-betas/{self.subject}/voxel-metadata/{path.name}"
            return f"aws s3 cp --no-sign-request {source} {path}"
        return f"take {path.name} from {FIGSHARE}"

    def unlike(self, path: Path, found: str, expected: str) -> InputError:
        """Return the error for a file whose content differs from the release."""
        return InputError(path, found, expected, f"the file differs from the release; {self.remedy(path)}")


def find_release(root: Path, subject: str) -> Release:
    """Find the files of ``subject`` in either release under ``root``, at most one folder deeper than released.

    If several folders have files, the first folder with the most files is used. If no folder has files, the paths on Figshare are
    returned.
    """
    openneuro = f"derivatives/ICA-betas/{subject}/voxel-metadata/{subject}_task-things"
    places = [(f"betas_csv/{subject}", _FIGSHARE_NAMES), (subject, _FIGSHARE_NAMES), (openneuro, _OPENNEURO_NAMES)]
    homes = [root, *folders_in(root)]
    found = [Release(subject, *(Path(f"{home}/{stem}_{name}") for name in names)) for home in homes for stem, names in places]
    return max(found, key=lambda release: sum(map(os.path.lexists, release.files)))


def read_columns(release: Release, path: Path, numbers: Collection[str], text: Collection[str] = ()) -> pd.DataFrame:
    """Read columns of a table as float64, and those in ``text`` as text."""
    return read_table(path, SEPARATORS, numbers, text, remedy=release.remedy(path))


@contextmanager
def open_responses(release: Release, voxel_ids: np.ndarray, n_trials: int) -> Iterator[h5py.Dataset]:
    """Open the float64 or float32 responses (voxels, trials) of a data frame that pandas stored in its fixed format.

    The blocks of the frame are read directly. The labels of trials are pickled Python objects, and are never loaded. Which block
    has the responses depends on how the frame was built.
    """
    path = release.responses
    with released_hdf5(path, "a whole HDF5 file", release.remedy(path)) as file:
        frame = member(file, "ResponseData")
        if not isinstance(frame, h5py.Group):
            raise release.unlike(path, f"the keys {', '.join(file) or 'none'}", "a data frame `ResponseData`")
        if frame.attrs.get("pandas_type") != b"frame":
            found = f"ResponseData of pandas type {frame.attrs.get('pandas_type')}"
            raise release.unlike(path, found, "`frame`, pandas' fixed format")
        members = [frame[name] for name in frame if re.fullmatch(r"block\d+_values", name)]
        blocks = [block for block in members if isinstance(block, h5py.Dataset)]
        responses = [block for block in blocks if block.dtype in (np.float32, np.float64)]
        shape = (len(voxel_ids), n_trials)
        if [block.shape for block in responses] != [shape]:
            found = " and ".join(str(block.shape) for block in responses) or "none"
            expected = f"one of shape {shape}: rows of {release.voxels.name} x rows of {release.trials.name}"
            raise release.unlike(path, f"blocks of responses of shape {found}", expected)
        ids = [block[()].ravel() for block in blocks if block.dtype.kind in "iu"]
        if len(ids) != 1 or not np.array_equal(ids[0], voxel_ids):
            raise release.unlike(path, "voxel_id unlike that of the voxel table", f"the voxel_id of {release.voxels.name}")
        yield responses[0]
