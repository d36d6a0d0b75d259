"""Stimulus sets: which images there are, where they lie, and how to open one.

The stimulus table fixes the order of the rows of every feature store. Its ids are those of the released
recordings: ``aardvark/aardvark_01b.jpg`` for THINGS, the 0-based 73k id for NSD, ``image_id`` for Brain-Score.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.stimuli.brainscore import BrainScoreImages
from cortexscale.stimuli.image_folder import ImageFolder
from cortexscale.stimuli.nsd import NsdImages

LAYOUTS: dict[str, type[ImageFolder] | type[NsdImages] | type[BrainScoreImages]] = {
    "image_folder": ImageFolder,
    "nsd": NsdImages,
    "brainscore": BrainScoreImages,
}
_DAMAGE = (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, SyntaxError)
"""What the readers of files, zips and pictures raise; Pillow calls a broken PNG a SyntaxError."""


def stimulus_table(layout: str, path: Path | str) -> pd.DataFrame:
    """List the images of a stimulus set.

    Args:
        layout: ``image_folder`` (``<root>/<concept>/<image>.jpg``, THINGS), ``nsd`` (``nsd_stimuli.hdf5``) or
            ``brainscore`` (a stimulus CSV with its images beside it).
        path: the folder or the file.

    Returns:
        One row per image: ``stimulus_id``, ``hash`` (content), ``concept`` (the object that it shows; an image of no known
        concept is one of its own); in byte order of the ids, by NSD id, or as in the CSV.

    Raises:
        InputError: nothing there, or not what the layout says.
    """
    images = LAYOUTS[layout](Path(path))
    ids = images.ids()
    hashes = [content_hash(_content(images, id)) for id in ids]
    return pd.DataFrame({"stimulus_id": ids, "hash": hashes, "concept": images.concepts(ids)})


def content_hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


class StimulusImages(Sequence):
    """The images of a stimulus set as RGB pictures, in the order of its table.

    Opens files lazily, so that each worker process of a loader has handles of its own.

    Args:
        layout, path: as of :func:`stimulus_table`.
        table: the stimulus table; every image is compared with its hash there.
    """

    def __init__(self, layout: str, path: Path | str, table: pd.DataFrame):
        self.images = LAYOUTS[layout](Path(path))
        self.ids, self.hashes = list(table["stimulus_id"]), list(table["hash"])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Image.Image:
        """
        Raises:
            InputError: the image is gone, damaged, or not the one that the table lists.
        """
        id = self.ids[row]
        content = _content(self.images, id)
        try:
            picture = self.images.picture(content)
        except _DAMAGE as error:
            raise _unreadable(self.images.where(id), error) from None
        if content_hash(content) != self.hashes[row]:
            raise InputError(
                self.images.where(id),
                "another image than the stimulus table lists",
                "the same content",
                "delete the stimulus table and run again",
            )
        return picture


def _content(images: ImageFolder | NsdImages | BrainScoreImages, id: str) -> bytes:
    try:
        return images.content(id)
    except _DAMAGE as error:
        raise _unreadable(images.where(id), error) from None


def _unreadable(where: str, error: Exception) -> InputError:
    return InputError(where, f"not a readable image ({error})", "an RGB image", "fetch the image again")


def stimulus_rows(table: pd.DataFrame, ids: Sequence[str], wanted_by: str, where: str) -> np.ndarray:
    """Rows of ``ids`` in a stimulus table.

    Raises:
        InputError: a recording shows a stimulus that has no image.
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
    """Content hash of a stimulus set: ids and images, in order."""
    return hashlib.blake2b(table[["stimulus_id", "hash"]].to_csv(index=False).encode(), digest_size=16).hexdigest()
