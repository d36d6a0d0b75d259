"""Stimulus sets that are a folder of images."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cortexscale.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png"}


class ImageFolder:
    """A folder of folders of images, ``<root>/<concept>/<image>.jpg``.

    The id of an image is its path below the root, ``<concept>/<image>.jpg``; ids are in byte order.
    """

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

    def decoded(self, content: bytes) -> Image.Image:
        return Image.open(io.BytesIO(content)).convert("RGB")
