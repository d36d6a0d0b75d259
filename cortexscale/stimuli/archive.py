"""Zip files of images, which are read without unpacking them."""

import os
import zipfile
from functools import cached_property
from pathlib import Path

from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import lies_in_left_behind, nfc


class Archive:
    """A zip file. It is opened at first use.

    Args:
        remedy: says where the file comes from, for messages.
    """

    def __init__(self, path: Path, remedy: str):
        self.path, self.remedy = path, remedy
        self._opened: tuple[int, zipfile.ZipFile] | None = None  # id of the process that opened the file, and the file

    @cached_property
    def members(self) -> dict[str, str]:
        """Name of a file in NFC -> its name as the zip spells it. Folders, and files that systems leave behind, are absent."""
        return {nfc(name): name for name in self._open().namelist() if not (name.endswith("/") or lies_in_left_behind(name))}

    def read(self, name: str) -> bytes:
        """Return the content of the file with a name in NFC."""
        return self._open().read(self.members[name])

    def _open(self) -> zipfile.ZipFile:
        # A forked worker would share the position in its parent's open file, and could read the bytes of another image.
        if self._opened is None or self._opened[0] != os.getpid():
            require_real_file(self.path, self.remedy)
            try:
                self._opened = os.getpid(), zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, OSError) as error:
                remedy = f"repeat the download: {self.remedy}"
                raise InputError(self.path, f"not a readable zip ({error})", "the zip of the images", remedy) from None
        return self._opened[1]
