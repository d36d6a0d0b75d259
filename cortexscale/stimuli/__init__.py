"""Stimulus sets: listing, locating and opening their images.

Every feature store has its rows in the order of the stimulus table. Recordings use the same ids as the table.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.errors import InputError, Problems
from cortexscale.image_files import tried
from cortexscale.listing import nfc
from cortexscale.stimuli.brainscore import BrainScoreImages
from cortexscale.stimuli.ids import like
from cortexscale.stimuli.layouts import Hdf5Images, ImageFolder, Images, ZippedImages
from cortexscale.stores import read_table
from cortexscale.study.images import Layout

log = logging.getLogger(__name__)

LAYOUTS: dict[str, type[Images]] = {
    "image_folder": ImageFolder,
    "zip": ZippedImages,
    "hdf5": Hdf5Images,
    "brainscore": BrainScoreImages,
}
"""Layout of a stimulus set -> class that reads it."""

_COLUMNS = ("stimulus_id", "hash", "concept")
_MOST = 20  # largest number of unreadable images that are named at once


def stimulus_table(layout: Layout, path: Path | str) -> pd.DataFrame:
    """List the images of a stimulus set.

    Images in a folder or a zip are in the byte order of their ids. Images of an HDF5 file are in the order of rows, and images of
    Brain-Score in the order of the CSV. The columns are ``stimulus_id``, ``hash`` (of the image's content) and ``concept``. No
    image is decoded.
    """
    images = LAYOUTS[layout](Path(path))
    ids = images.ids()
    hashes = [content_hash(images.read(id)) for id in ids]
    return pd.DataFrame({"stimulus_id": ids, "hash": hashes, "concept": images.concepts(ids)})


def require_images(layout: Layout, path: Path | str, ids: Iterable[str]) -> None:
    """Decode all images with these ``ids``. Raise one InputError that names up to 20 images that cannot be used.

    Warnings name images that subjects perhaps saw differently, because they are transparent or their files ask for a rotation.
    """
    images = LAYOUTS[layout](Path(path))
    errors, remarks = tried(((id, partial(images.image, id)) for id in ids), path, _MOST)
    for remark in remarks:
        log.warning("%s", remark)
    Problems(errors).require_none()


def read_stimulus_table(path: Path | str) -> pd.DataFrame:
    """Read a file with a table that :func:`stimulus_table` made. The table remembers its path, so that messages can name it."""
    table = read_table(path, columns=_COLUMNS)
    table.attrs["path"] = str(path)
    return table


def content_hash(content: bytes) -> str:
    """Return the hash of an image's content, as in the stimulus table."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def table_hash(table: pd.DataFrame) -> str:
    """Return the hash of a stimulus set, which covers its ids and images in order."""
    return content_hash(table[["stimulus_id", "hash"]].to_csv(index=False).encode())


class StimulusImages:
    """The RGB images of a stimulus set, in the order of its table. Each opened image is checked against its hash in the table."""

    def __init__(self, layout: Layout, path: Path | str, table: pd.DataFrame):
        self.images = LAYOUTS[layout](Path(path))
        self.ids, self.hashes, self.table = list(table["stimulus_id"]), list(table["hash"]), _place(table)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Image.Image:
        """Open the image of a row. If the image is missing or damaged, or is not the image in the table, raise an InputError."""
        id = self.ids[row]
        content = self.images.read(id)
        image = self.images.decoded(id, content)
        if content_hash(content) != self.hashes[row]:
            found, remedy = "another image than the stimulus table lists", f"delete {self.table} and run again"
            raise InputError(self.images.where(id), found, "the same content", remedy)
        return image


def stimulus_rows(table: pd.DataFrame, ids: Sequence[str] | np.ndarray, wanted_by: str) -> np.ndarray:
    """Find the row of each stimulus in a stimulus table, (n,) int. Ids are compared in Unicode's form NFC.

    An InputError is raised if two images have ids that look equal, or if stimuli have no image. For missing images, the error
    names the dataset or subject that needs them (``wanted_by``), and images with similar names.
    """
    known = pd.Index([nfc(id) for id in table["stimulus_id"]])
    if known.has_duplicates:
        twice, remedy = known[known.duplicated()][0], "rename one of the two images, delete the stimulus table and run again"
        raise InputError(_place(table), f"two images whose ids look like {twice}", "an id of its own for every image", remedy)
    rows = known.get_indexer(pd.Index([nfc(id) for id in ids]))
    if len(missing := np.asarray(ids)[rows < 0]):
        named = "; ".join(f"{id}{like(id, table['stimulus_id'])}" for id in missing[:3])
        found = f"no image for {len(missing)} of the {len(ids)} stimuli of {wanted_by}, e.g. {named}"
        remedy = f"complete the images, or name them as this dataset does; then delete {_place(table)} and run again"
        raise InputError(_place(table), found, "an image for every stimulus", remedy)
    return rows


def _place(table: pd.DataFrame) -> str:
    """Name a stimulus table in a message: by its path, if the path is known."""
    return str(table.attrs.get("path", "the stimulus table"))
