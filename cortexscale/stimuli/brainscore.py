"""Stimulus sets of Brain-Score. A CSV lists the images, and a zip or a folder contains them."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.image_files import decoded
from cortexscale.listing import folders_in, listing, nfc, path_of, plain
from cortexscale.stimuli.archive import Archive
from cortexscale.stimuli.ids import like
from cortexscale.stimuli.layouts import Images

ALIASES = {"image_id": "stimulus_id", "stimulus_id": "image_id", "filename": "image_file_name"}
"""Column of a stimulus CSV or assembly -> name of the same column in other releases."""

_SHA1 = re.compile("[0-9a-f]{40}")


class BrainScoreImages(Images):
    """A stimulus CSV of Brain-Score, with its images in a zip or a folder of the same name.

    The zip or folder is beside the CSV. In a cache of Brain-Score (``<sha1>/<file>``), the zip or folder can also be inside a
    folder beside the CSV's folder. Ids come from the column ``image_id``, in the order of the CSV. Images can have one, three or
    four channels. The concept of an image is its object or its family of textures in the CSV.
    """

    remedy = "download the CSV and the zip of one release; Brain-Score's registry of stimulus sets has their names"
    concept_columns = ("object_name", "texture_family")

    @cached_property
    def names(self) -> dict[str, str]:
        """Id of an image -> its file name."""
        table = read_stimuli(self.path, ["image_id", "filename"], self.remedy)
        return dict(zip(table["image_id"], table["filename"], strict=True))

    @cached_property
    def images(self) -> Path:
        """Path of the zip of images, or of the folder into which it was unpacked."""
        folder = self.path.parent
        cached = folders_in(folder.parent) if _SHA1.fullmatch(folder.name) else []
        folders = [folder, *(other for other in cached if _SHA1.fullmatch(other.name))]
        zipped = [folder / f"{self.path.stem}.zip" for folder in folders]
        unpacked = [folder / self.path.stem for folder in folders]
        found = next((path for path in (*zipped, *unpacked) if path.exists()), None)
        if found is None:
            raise InputError(zipped[0], "nothing", "the images of the stimulus table, in a zip or unpacked", self.remedy)
        return found

    def ids(self) -> list[str]:
        names, images = self.names, self.images
        there = self._archive.members if images.is_file() else {nfc(name): name for name in listing(images).files}
        if missing := [name for name in names.values() if nfc(name) not in there]:
            named = "; ".join(f"{name}{like(name, there)}" for name in missing[:3])
            found = f"{len(missing)} of the {len(names)} images are not there, e.g. {named}"
            raise InputError(images, found, f"every filename of {self.path.name}", self.remedy)
        return list(names)

    def concepts(self, ids: Sequence[str]) -> list[str]:
        columns = list(pd.read_csv(self.path, nrows=0))
        column = next((name for name in self.concept_columns if name in columns), None)
        if column is None:
            return list(ids)
        table = read_stimuli(self.path, ["image_id", column], self.remedy)
        return table.set_index("image_id")[column].loc[list(ids)].to_list()

    def where(self, id: str) -> str:
        return str(self.images / self.names.get(id, f"(no image {id})"))

    def content(self, id: str) -> bytes:
        name = self.names[id]
        if self.images.is_file():
            return self._archive.read(nfc(name))
        return path_of(self.images, name).read_bytes()

    def decoded(self, id: str, content: bytes) -> Image.Image:
        # Brain-Score drops the transparency of images, and published scores were computed in this way.
        return decoded(content, self.where(id), transparency="dropped")

    @cached_property
    def _archive(self) -> Archive:
        return Archive(self.images, self.remedy)


def read_stimuli(path: Path | str, columns: Sequence[str], remedy: str) -> pd.DataFrame:
    """Read some columns of the stimulus CSV of an assembly as text. The first of ``columns`` must be the column of ids.

    The result has one row per image, in the order of the file. A column is also found if the file uses its name in other releases
    (:data:`ALIASES`). An InputError is raised if the file is not a table, if a column or an entry is missing, or if an id occurs
    twice. ``remedy`` says where the file comes from.
    """
    path, id = require_real_file(path, remedy), columns[0]
    try:
        # All columns are read as text, because some ids have only digits, and a category can be called NA.
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:  # pandas raises subclasses of ValueError
        raise InputError(path, f"not a readable table ({error})", "the stimulus CSV", f"repeat the download. {remedy}") from None
    sources = {name: name if name in table else ALIASES.get(name, name) for name in columns}
    if missing := [name for name, source in sources.items() if source not in table]:
        found, expected = f"the columns {', '.join(map(str, table))}", f"also {', '.join(missing)}"
        raise InputError(path, found, expected, f"take the released file. {remedy}")
    table = pd.DataFrame({name: table[source].map(plain, na_action="ignore") for name, source in sources.items()})
    incomplete = (table.isna() | (table == "")).any(axis=1).to_numpy()
    if incomplete.any() or table.empty:
        found = f"row {np.flatnonzero(incomplete)[0] + 1} without {' or '.join(columns)}" if len(table) else "no rows"
        raise InputError(path, found, "one complete row per image", f"the copy was cut short; repeat the download. {remedy}")
    if (repeated := table[id].duplicated()).any():
        found = f"{id} {table[id][repeated].iloc[0]} twice"
        raise InputError(path, found, "one row per image", f"repeat the download. {remedy}")
    return table
