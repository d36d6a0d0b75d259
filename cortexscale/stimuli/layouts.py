"""Layouts of stimulus sets: their common interface, a folder of images, a zip file of images, and an HDF5 file."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from cortexscale.arrays import hdf5_damage, open_hdf5, require_stored
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.image_files import FORMATS, decoded, image_names, is_image, read_from, require_distinct
from cortexscale.listing import listing, nfc, path_of
from cortexscale.stimuli.archive import Archive
from cortexscale.stimuli.ids import like


class Images:
    """The images of one stimulus set, in a folder or a file. Each subclass reads one layout.

    Files are opened at first use and never pickled, so that each worker process opens its own.
    """

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)

    def ids(self) -> list[str]:
        """List the ids of all images in order. If there are no images, or if the path has another layout, raise an InputError."""
        raise NotImplementedError

    def concepts(self, ids: Sequence[str]) -> list[str]:
        """Return the concept of each image. If the concept of an image is not known, return the id of the image instead."""
        return list(ids)

    def where(self, id: str) -> str:
        """Describe the location of an image, for messages."""
        return str(self.path / id)

    def read(self, id: str) -> bytes:
        """Return the :meth:`content` of an image, or raise an InputError that says why it cannot be read."""
        with read_from(self.where(id), "delete the stimulus table and run again", lambda: self.near(id)):
            return self.content(id)

    def near(self, id: str) -> str:
        """Name, for a message, the image whose id is most like that of a missing image. If no id is similar, return ""."""
        with suppress(InputError):
            return like(id, self.ids())
        return ""

    def content(self, id: str) -> bytes:
        """Return the bytes of an image. The hash of the image is computed from these bytes."""
        return path_of(self.path, id).read_bytes()

    def image(self, id: str) -> Image.Image:
        """Return the image with this id in RGB, or raise an InputError if it cannot be read or decoded."""
        return self.decoded(id, self.read(id))

    def decoded(self, id: str, content: bytes) -> Image.Image:
        """Decode the :meth:`content` of an image to RGB, or raise an InputError if it cannot be decoded."""
        return decoded(content, self.where(id))


class ImageFolder(Images):
    """A folder that has one folder of images for each concept.

    The id of an image is ``<concept>/<image>.jpg`` in Unicode's form NFC; ids are in byte order.
    """

    def ids(self) -> list[str]:
        concepts = listing(self.path).folders
        require_distinct(self.path, concepts)
        ids = [nfc(f"{concept}/{name}") for concept in concepts for name in image_names(self.path / concept)]
        if not ids:
            remedy = "unpack the images there, or correct the path"
            expected = f"folders of images, <concept>/<image>.jpg ({FORMATS})"
            raise InputError(self.path, "no images", expected, remedy)
        return ids

    def concepts(self, ids: Sequence[str]) -> list[str]:
        return [id.split("/")[0] for id in ids]


class ZippedImages(Images):
    """A zip file of images, which stays packed. The id of an image is its path in the zip, in Unicode's form NFC.

    Ids are in byte order.
    """

    remedy = "correct the path of the stimulus set, or fetch the file again"

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.path, self.remedy)

    def ids(self) -> list[str]:
        ids = sorted(filter(is_image, self.archive.members))
        if not ids:
            raise InputError(self.path, "no images", f"images ({FORMATS})", self.remedy)
        return ids

    def content(self, id: str) -> bytes:
        if id not in self.archive.members:
            raise InputError(self.path, f"no file {id}", "the images of the stimulus table", "delete the table and run again")
        return self.archive.read(id)


class Hdf5Images(Images):
    """An HDF5 file with one uint8 array (images, height, width, 3). The id of an image is its row number, as text."""

    remedy = "correct the path of the stimulus set, or fetch the file again"

    @cached_property
    def pixels(self) -> h5py.Dataset:
        """The array of images, which stays on disk."""
        require_real_file(self.path, self.remedy)
        with hdf5_damage(self.path, "an HDF5 file of images", self.remedy):
            file = open_hdf5(self.path)
            arrays = [item for item in file.values() if isinstance(item, h5py.Dataset)]
            images = [item for item in arrays if item.ndim == 4 and item.shape[-1] == 3 and item.dtype == np.uint8]
        if len(images) != 1:
            found = ", ".join(f"{item.name.strip('/')} {item.shape} {item.dtype}" for item in arrays) or "no array"
            file.close()
            raise InputError(self.path, found, "one array (images, height, width, 3) uint8", self.remedy)
        require_stored(self.path, images[0], self.remedy)
        return images[0]

    def ids(self) -> list[str]:
        return [str(row) for row in range(len(self.pixels))]

    def where(self, id: str) -> str:
        return f"{self.path}, image {id}"

    def content(self, id: str) -> bytes:
        if int(id) >= len(self.pixels):
            raise InputError(self.path, f"{len(self.pixels)} images", f"image {id}", "delete the stimulus table and run again")
        return self.pixels[int(id)].tobytes()

    def decoded(self, id: str, content: bytes) -> Image.Image:
        height, width = self.pixels.shape[1:3]
        return Image.frombytes("RGB", (width, height), content)
