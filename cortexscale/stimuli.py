"""Stimulus sets: which images there are, where they lie, and how to open one.

The stimulus table fixes the order of the rows of every feature store. Its ids are those of the released
recordings: ``aardvark/aardvark_01b.jpg`` for THINGS, the 0-based 73k id for NSD, ``image_id`` for Brain-Score.
"""

import csv
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.datasets.assembly import read_stimuli
from cortexscale.errors import InputError
from cortexscale.files import require_real_file

SUFFIXES = {".jpg", ".jpeg", ".png"}


class ImageFolder:
    """``<root>/<concept>/<image>.jpg``, as THINGS is unpacked. Ids are paths below the root, in byte order."""

    def __init__(self, path: Path):
        self.path = path

    def ids(self) -> list[str]:
        files = sorted(file for file in self.path.glob("*/*") if file.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(
                self.path, "no images", "folders of images, <concept>/<image>.jpg", "unpack the images there, or correct the path"
            )
        return [file.relative_to(self.path).as_posix() for file in files]

    def concepts(self, ids: Sequence[str]) -> list[str]:
        return [id.split("/")[0] for id in ids]

    def where(self, id: str) -> str:
        return str(self.path / id)

    def content(self, id: str) -> bytes:
        return (self.path / id).read_bytes()

    def picture(self, content: bytes) -> Image.Image:
        return Image.open(io.BytesIO(content)).convert("RGB")


class NsdImages:
    """``nsd_stimuli.hdf5``. Ids are rows of ``imgBrick``; the content of an image is its pixels, a scene of many objects."""

    remedy = "download nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5 from the NSD bucket (39.6 GB)"

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return type(self), (self.path,)  # worker processes open the file for themselves

    @cached_property
    def bricks(self) -> h5py.Dataset:
        require_real_file(self.path, self.remedy)
        try:
            file = h5py.File(self.path, "r")
        except OSError as error:
            raise InputError(self.path, f"not a readable HDF5 file ({error})", "nsd_stimuli.hdf5", self.remedy) from None
        bricks = file.get("imgBrick")
        if bricks is None or bricks.ndim != 4 or bricks.shape[-1] != 3 or bricks.dtype != np.uint8:
            found = "no imgBrick" if bricks is None else f"imgBrick {bricks.shape} {bricks.dtype}"
            file.close()
            raise InputError(self.path, found, "imgBrick, (images, height, width, 3) uint8", self.remedy)
        return bricks

    def ids(self) -> list[str]:
        return [str(row) for row in range(len(self.bricks))]

    def concepts(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    def where(self, id: str) -> str:
        return f"{self.path}, image {id}"

    def content(self, id: str) -> bytes:
        if int(id) >= len(self.bricks):
            raise InputError(self.path, f"{len(self.bricks)} images", f"image {id}", "delete the stimulus table and run again")
        return self.bricks[int(id)].tobytes()

    def picture(self, content: bytes) -> Image.Image:
        height, width = self.bricks.shape[1:3]
        return Image.frombytes("RGB", (width, height), content)


class BrainScoreImages:
    """A stimulus CSV of Brain-Score, with its images in the zip of the same stem, or in a folder of that stem.

    They lie beside the CSV, or, in a cache of Brain-Score (``<sha1>/<file>``), in a folder beside its folder. Ids are
    ``image_id``, in the order of the CSV. Images may have one channel, three or four. The concept of an image is its object
    (MajajHong2015) or its family of textures (FreemanZiemba2013).
    """

    remedy = "download the CSV and the zip of one release; Brain-Score's registry of stimulus sets has their names"
    concept_columns = ("object_name", "texture_family")

    def __init__(self, path: Path):
        self.path = path
        self._archive: tuple[int, zipfile.ZipFile] | None = None

    def __reduce__(self):
        return type(self), (self.path,)

    @cached_property
    def names(self) -> dict[str, str]:
        """Id -> name of its file."""
        table = read_stimuli(self.path, ["image_id", "filename"], self.remedy)
        return dict(zip(table["image_id"], table["filename"], strict=True))

    def concepts(self, ids: Sequence[str]) -> list[str]:
        with self.path.open(newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file))
        column = next((name for name in self.concept_columns if name in columns), None)
        if column is None:
            return list(ids)
        table = read_stimuli(self.path, ["image_id", column], self.remedy)
        return table.set_index("image_id")[column].loc[list(ids)].to_list()

    @cached_property
    def images(self) -> Path:
        """The zip, or the folder that it was unpacked into."""
        folders = [self.path.parent, *sorted(self.path.parent.parent.glob("[0-9a-f]" * 40))]
        zipped = [folder / f"{self.path.stem}.zip" for folder in folders]
        unpacked = [folder / self.path.stem for folder in folders]
        found = next((path for path in (*zipped, *unpacked) if path.exists()), None)
        if found is None:
            raise InputError(zipped[0], "nothing", "the images of the stimulus table, in a zip or unpacked", self.remedy)
        return found

    def ids(self) -> list[str]:
        names, images = self.names, self.images
        there = set(self._open(images).namelist() if images.is_file() else os.listdir(images))
        missing = [name for name in names.values() if name not in there]
        if missing:
            raise InputError(
                images,
                f"{len(missing)} of the {len(names)} images are not there, e.g. {', '.join(missing[:3])}",
                f"every filename of {self.path.name}",
                self.remedy,
            )
        return list(names)

    def where(self, id: str) -> str:
        return str(self.images / self.names.get(id, f"(no image {id})"))

    def content(self, id: str) -> bytes:
        name = self.names[id]
        return self._open(self.images).read(name) if self.images.is_file() else (self.images / name).read_bytes()

    def picture(self, content: bytes) -> Image.Image:
        return Image.open(io.BytesIO(content)).convert("RGB")

    def _open(self, path: Path) -> zipfile.ZipFile:
        # A forked worker shares the position in its parent's open file, and would read another image's bytes.
        if self._archive is None or self._archive[0] != os.getpid():
            require_real_file(path, self.remedy)
            try:
                self._archive = os.getpid(), zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError) as error:
                raise InputError(
                    path, f"not a readable zip ({error})", "the zip of the images", f"repeat the download: {self.remedy}"
                ) from None
        return self._archive[1]


LAYOUTS = {"image_folder": ImageFolder, "nsd": NsdImages, "brainscore": BrainScoreImages}
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
