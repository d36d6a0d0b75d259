"""Stimulus sets: which images there are, where they lie, and how to open one.

The stimulus table fixes the order of the rows of every feature store. Its ids are those that recordings use.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.stimuli.brainscore import BrainScoreImages
from cortexscale.stimuli.hdf5 import Hdf5Images
from cortexscale.stimuli.image_folder import ImageFolder
from cortexscale.study.images import Layout


class Images(Protocol):
    """The images of one stimulus set, in whichever layout they were released."""

    def ids(self) -> list[str]:
        """List the ids of all images, in the order of the stimulus table.

        Raises:
            InputError: nothing is there, or not what the layout says.
        """

    def concepts(self, ids: Sequence[str]) -> list[str]:
        """Return what each image shows. An image of which nothing is known is a concept of its own."""

    def where(self, id: str) -> str:
        """Describe where an image lies, for messages."""

    def content(self, id: str) -> bytes:
        """Return the bytes of an image, which its hash is made of."""

    def decoded(self, content: bytes) -> Image.Image:
        """Return the RGB image that :meth:`content` encodes."""


LAYOUTS: dict[str, Callable[[Path], Images]] = {
    "image_folder": ImageFolder,
    "hdf5": Hdf5Images,
    "brainscore": BrainScoreImages,
}
"""Layout of a stimulus set -> the class that reads it from a path."""

_DAMAGE = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, SyntaxError)
"""Exceptions that a damaged file, zip or image raises. Pillow raises a SyntaxError for a broken PNG."""


def stimulus_table(layout: Layout, path: Path | str) -> pd.DataFrame:
    """List the images of a stimulus set.

    Args:
        layout: a key of :data:`LAYOUTS`.
        path: the folder or the file.

    Returns:
        One row per image: ``stimulus_id``, ``hash`` (of its content) and ``concept``; in byte order of the ids, by row of the
        HDF5 file, or as in the CSV.

    Raises:
        InputError: nothing is there, or not what the layout says.
    """
    images = LAYOUTS[layout](Path(path))
    ids = images.ids()
    hashes = [content_hash(_content(images, id)) for id in ids]
    return pd.DataFrame({"stimulus_id": ids, "hash": hashes, "concept": images.concepts(ids)})


def content_hash(content: bytes) -> str:
    """Return the hash of an image's content, as in the stimulus table."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class StimulusImages:
    """The images of a stimulus set as RGB images, in the order of its table.

    Files are opened when they are first needed, so that each worker process of a loader opens them for itself.

    Args:
        layout: a key of :data:`LAYOUTS`.
        path: the folder or the file.
        table: the stimulus table; every image is compared with its hash there.
    """

    def __init__(self, layout: Layout, path: Path | str, table: pd.DataFrame):
        self.images = LAYOUTS[layout](Path(path))
        self.ids, self.hashes = list(table["stimulus_id"]), list(table["hash"])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Image.Image:
        """Open the image of a row of the table.

        Raises:
            IndexError: the table has no such row.
            InputError: the image is missing, damaged, or another one than the table lists.
        """
        id = self.ids[row]
        content = _content(self.images, id)
        try:
            image = self.images.decoded(content)
        except _DAMAGE as error:
            raise _unreadable(self.images.where(id), error) from None
        if content_hash(content) != self.hashes[row]:
            raise InputError(
                self.images.where(id),
                "another image than the stimulus table lists",
                "the same content",
                "delete the stimulus table and run again",
            )
        return image


def _content(images: Images, id: str) -> bytes:
    try:
        return images.content(id)
    except _DAMAGE as error:
        raise _unreadable(images.where(id), error) from None


def _unreadable(where: str, error: Exception) -> InputError:
    return InputError(where, f"not a readable image ({error})", "an RGB image", "fetch the image again")


def stimulus_rows(table: pd.DataFrame, ids: Sequence[str] | np.ndarray, wanted_by: str, where: str) -> np.ndarray:
    """Find stimuli in a stimulus table.

    Args:
        table: the stimulus table.
        ids: (n,) stimuli.
        wanted_by: whose stimuli they are, for the message.
        where: the file of the table, for the message.

    Returns:
        (n,) int, their rows.

    Raises:
        InputError: a stimulus has no image.
    """
    index = pd.Index(table["stimulus_id"])
    rows = index.get_indexer(list(ids))
    missing = [id for id, row in zip(ids, rows, strict=True) if row < 0]
    if missing:
        raise InputError(
            where,
            f"no image for {len(missing)} of the {len(ids)} stimuli of {wanted_by}, e.g. {', '.join(missing[:3])}",
            "an image for every stimulus",
            "complete the image folder, delete the stimulus table and run again",
        )
    return rows


def table_hash(table: pd.DataFrame) -> str:
    """Return the content hash of a stimulus set: of its ids and images, in order."""
    return hashlib.blake2b(table[["stimulus_id", "hash"]].to_csv(index=False).encode(), digest_size=16).hexdigest()
