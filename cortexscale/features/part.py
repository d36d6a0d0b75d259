"""An unfinished store: a folder that a later run continues, and that is packed into one file once it is complete.

So a cluster sees one file with a real size and time, and an interrupted write is never taken for complete.
"""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import zarr

from cortexscale.files import whole_file


def part_folder(path: Path) -> Path:
    """Where the store that will be the file ``path`` is being made."""
    return path.with_name(f".{path.name}.part")


def open_part(path: Path, attributes: dict[str, Any]) -> zarr.Group:
    """The folder of an unfinished store: as an earlier run left it if that had the same ``attributes``, else empty."""
    folder, wanted = part_folder(path), json.loads(json.dumps(attributes))
    try:
        found = dict(zarr.open_group(folder, mode="r").attrs)
    except (FileNotFoundError, ValueError):
        found = {}
    if any(found.get(key) != value for key, value in wanted.items()):
        shutil.rmtree(folder, ignore_errors=True)
        zarr.create_group(folder, attributes=wanted)
    return zarr.open_group(folder, mode="r+")


def pack(path: Path, leave_out: Path | None = None) -> None:
    """Make one uncompressed zip of the folder of a store, which goes."""
    folder = part_folder(path)
    with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file != leave_out:
                archive.write(file, file.relative_to(folder))
    shutil.rmtree(folder)
