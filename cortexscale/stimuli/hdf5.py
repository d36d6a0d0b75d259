"""Stimulus sets that are one HDF5 file."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.files import hdf5_damage, require_real_file


class Hdf5Images:
    """An HDF5 file with one array of images, (images, height, width, 3) uint8.

    The id of an image is its row, as text; its content is its pixels, and its concept is itself, because nothing is known of
    what it shows.
    """

    remedy = "correct the path of the stimulus set, or fetch the file again"

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[type["Hdf5Images"], tuple[Path]]:
        return type(self), (self.path,)  # worker processes open the file for themselves

    @cached_property
    def pixels(self) -> h5py.Dataset:
        """The array, on disk.

        Raises:
            InputError: the file is missing or damaged, or has no such array, or several.
        """
        require_real_file(self.path, self.remedy)
        with hdf5_damage(self.path, "an HDF5 file of images", self.remedy):
            file = h5py.File(self.path, "r")
            arrays = [item for item in file.values() if isinstance(item, h5py.Dataset)]
            images = [item for item in arrays if item.ndim == 4 and item.shape[-1] == 3 and item.dtype == np.uint8]
        if len(images) != 1:
            found = ", ".join(f"{item.name.strip('/')} {item.shape} {item.dtype}" for item in arrays) or "no array"
            file.close()
            raise InputError(self.path, found, "one array (images, height, width, 3) uint8", self.remedy)
        return images[0]

    def ids(self) -> list[str]:
        return [str(row) for row in range(len(self.pixels))]

    def concepts(self, ids: Sequence[str]) -> list[str]:
        return list(ids)

    def where(self, id: str) -> str:
        return f"{self.path}, image {id}"

    def content(self, id: str) -> bytes:
        if int(id) >= len(self.pixels):
            raise InputError(self.path, f"{len(self.pixels)} images", f"image {id}", "delete the stimulus table and run again")
        return self.pixels[int(id)].tobytes()

    def decoded(self, content: bytes) -> Image.Image:
        height, width = self.pixels.shape[1:3]
        return Image.frombytes("RGB", (width, height), content)
