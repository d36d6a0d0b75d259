"""Stimulus sets: listing, locating and opening their images.

The stimulus table sets the order of the rows of every feature store. Recordings use the same ids as the table.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.stimuli.brainscore import BrainScoreImages
from cortexscale.stimuli.layouts import Hdf5Images, ImageFolder, Images
from cortexscale.study.images import Layout

LAYOUTS: dict[str, type[Images]] = {"image_folder": ImageFolder, "hdf5": Hdf5Images, "brainscore": BrainScoreImages}
"""The class that reads each layout of a stimulus set from a path."""

_DAMAGE = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, SyntaxError)
"""Exceptions that a damaged file, zip or image raises. Pillow raises a SyntaxError for a broken PNG."""


def stimulus_table(layout: Layout, path: Path | str) -> pd.DataFrame:
    """List the images of a stimulus set.

    The order is the byte order of the ids in a folder, the order of rows in an HDF5 file, or the order of the CSV. The columns
    are ``stimulus_id``, ``hash`` (of the image's content) and ``concept``.
    """
    images, hashes = LAYOUTS[layout](Path(path)), []
    ids = images.ids()
    for id in ids:
        with _readable(images, id):
            hashes.append(content_hash(images.content(id)))
    return pd.DataFrame({"stimulus_id": ids, "hash": hashes, "concept": images.concepts(ids)})


def content_hash(content: bytes) -> str:
    """Return the hash of an image's content, which the stimulus table has."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def table_hash(table: pd.DataFrame) -> str:
    """Return the hash of a stimulus set, which covers its ids and images in order."""
    return content_hash(table[["stimulus_id", "hash"]].to_csv(index=False).encode())


class StimulusImages:
    """The RGB images of a stimulus set, in the order of its table. Each opened image is checked against its hash in the table."""

    def __init__(self, layout: Layout, path: Path | str, table: pd.DataFrame):
        self.images = LAYOUTS[layout](Path(path))
        self.ids, self.hashes = list(table["stimulus_id"]), list(table["hash"])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Image.Image:
        """Open the image of a row. If it is missing, damaged or not the listed image, raise an InputError."""
        id = self.ids[row]
        with _readable(self.images, id):
            content = self.images.content(id)
            image = self.images.decoded(content)
        if content_hash(content) != self.hashes[row]:
            found, remedy = "another image than the stimulus table lists", "delete the stimulus table and run again"
            raise InputError(self.images.where(id), found, "the same content", remedy)
        return image


@contextmanager
def _readable(images: Images, id: str) -> Iterator[None]:
    """Turn an exception about a damaged image into an InputError."""
    try:
        yield
    except _DAMAGE as error:
        raise InputError(images.where(id), f"not a readable image ({error})", "an RGB image", "fetch the image again") from None


def stimulus_rows(table: pd.DataFrame, ids: Sequence[str] | np.ndarray, wanted_by: str) -> np.ndarray:
    """Return the row of each stimulus in a stimulus table, (n,) int. A stimulus without an image raises an InputError."""
    rows = pd.Index(table["stimulus_id"]).get_indexer(list(ids))
    if len(missing := np.asarray(ids)[rows < 0]):
        found = f"no image for {len(missing)} of the {len(ids)} stimuli of {wanted_by}, e.g. {', '.join(missing[:3])}"
        remedy = "complete the image folder, delete the stimulus table and run again"
        raise InputError("stimulus table", found, "an image for every stimulus", remedy)
    return rows
