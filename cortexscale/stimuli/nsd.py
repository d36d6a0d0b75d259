"""The stimulus set of NSD: one HDF5 file."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.files import require_real_file


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
