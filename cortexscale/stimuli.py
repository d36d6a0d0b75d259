"""Stimulus sets: which images there are, where they lie, and how to open one.

The stimulus table fixes the order of the rows of every feature store. Its ids are those of the released
recordings: ``aardvark/aardvark_01b.jpg`` for THINGS, the 0-based 73k id for NSD.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

SUFFIXES = {".jpg", ".jpeg", ".png"}


def stimulus_table(layout: str, path: Path | str) -> pd.DataFrame:
    """List the images of a stimulus set.

    Args:
        layout: ``image_folder`` (``<root>/<concept>/<image>.jpg``, THINGS) or ``nsd`` (``nsd_stimuli.hdf5``).
        path: the folder or the file.

    Returns:
        One row per image: ``stimulus_id``, ``hash`` (content), in byte order of the ids or by NSD id.

    Raises:
        InputError: nothing there, or not what the layout says.
    """
    return {"image_folder": image_folder_table, "nsd": nsd_table}[layout](Path(path))


def image_folder_table(root: Path) -> pd.DataFrame:
    files = sorted(file for file in root.glob("*/*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(
            root, "no images", "folders of images, <concept>/<image>.jpg", "unpack the images there, or correct the path"
        )
    ids = [file.relative_to(root).as_posix() for file in files]
    return pd.DataFrame({"stimulus_id": ids, "hash": [content_hash(file.read_bytes()) for file in files]})


def nsd_table(path: Path) -> pd.DataFrame:
    with open_nsd_images(path) as file:
        bricks = file["imgBrick"]
        hashes = [content_hash(bricks[row].tobytes()) for row in range(len(bricks))]
    return pd.DataFrame({"stimulus_id": [str(row) for row in range(len(hashes))], "hash": hashes})


def content_hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def open_nsd_images(path: Path) -> h5py.File:
    """Open ``nsd_stimuli.hdf5`` and check it."""
    remedy = "download nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5 from the NSD bucket (39.6 GB)"
    require_real_file(path, remedy)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(path, f"not a readable HDF5 file ({error})", "nsd_stimuli.hdf5", remedy) from None
    bricks = file.get("imgBrick")
    if bricks is None or bricks.ndim != 4 or bricks.shape[-1] != 3 or bricks.dtype != np.uint8:
        found = "no imgBrick" if bricks is None else f"imgBrick {bricks.shape} {bricks.dtype}"
        file.close()
        raise InputError(path, found, "imgBrick, (images, height, width, 3) uint8", remedy)
    return file


class StimulusImages(Sequence):
    """The images of a stimulus set as RGB pictures, in the order of its table.

    Opens files lazily, so that each worker process of a loader has handles of its own.

    Args:
        layout, path: as of :func:`stimulus_table`.
        table: the stimulus table; every image is compared with its hash there.
    """

    def __init__(self, layout: str, path: Path | str, table: pd.DataFrame):
        self.layout, self.path = layout, Path(path)
        self.ids, self.hashes = list(table["stimulus_id"]), list(table["hash"])
        self._nsd_images: h5py.Dataset | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Image.Image:
        """
        Raises:
            InputError: the image is gone, damaged, or not the one that the table lists.
        """
        where, content, picture = self._open(row)
        if content_hash(content) != self.hashes[row]:
            raise InputError(
                where,
                "another image than the stimulus table lists",
                "the same content",
                "delete the stimulus table and run again",
            )
        return picture

    def _open(self, row: int) -> tuple[str, bytes, Image.Image]:
        if self.layout == "nsd":
            if self._nsd_images is None:
                self._nsd_images = open_nsd_images(self.path)["imgBrick"]
            index = int(self.ids[row])
            if index >= len(self._nsd_images):
                raise InputError(
                    self.path, f"{len(self._nsd_images)} images", f"image {index}", "delete the stimulus table and run again"
                )
            pixels = self._nsd_images[index]
            return f"{self.path}, image {index}", pixels.tobytes(), Image.fromarray(pixels)
        file = self.path / self.ids[row]
        try:
            content = file.read_bytes()
            return str(file), content, Image.open(io.BytesIO(content)).convert("RGB")
        except OSError as error:
            raise InputError(file, f"not a readable image ({error})", "an RGB image", "fetch the image again") from None


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
