"""Tables of what lies along the axes of an array: a row for each stimulus or unit."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.datasets.table.options import SUBJECT, Stimuli, Units, fields_of, filled
from cortexscale.errors import InputError, did_you_mean
from cortexscale.files import require_real_file
from cortexscale.listing import files_in, nfc, plain
from cortexscale.stimuli.layouts import ZippedImages
from cortexscale.text_tables import read_text

logger = logging.getLogger(__name__)

_FLAGS = {word: flag for flag, words in (("true", ("1", "1.0", "yes")), ("false", ("0", "0.0", "no"))) for word in words}


class AxisTable:
    """The table of an axis.

    Args:
        where: the file or the option that the table comes from.
        option: the option that describes the axis, for remedies.
    """

    def __init__(self, table: pd.DataFrame, where: Path | str, option: str):
        self.table, self.where, self.option = table.reset_index(drop=True), where, option

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> np.ndarray:
        """Return a column, (rows,). A missing column, or one with empty fields, raises an InputError."""
        if name not in self.table:
            found = f"the columns {', '.join(map(str, self.table))}" if len(self.table.columns) else "no columns"
            remedy = did_you_mean(name, list(map(str, self.table)), f"correct `{self.option}` of this dataset")
            raise InputError(self.where, found, f"a column {name}", remedy)
        values = self.table[name]
        if values.isna().any():
            row = int(values.isna().to_numpy().argmax()) + 1
            raise InputError(self.where, f"nothing in row {row} of the column {name}", "a value in every row", "fill the gap")
        return values.to_numpy()

    def names(self, name: str) -> np.ndarray:
        """Return a column as text, (rows,) str, in Unicode's form NFC and without outer white space."""
        return np.array([plain(value) for value in self.column(name)], dtype=str)

    def flags(self, name: str) -> np.ndarray:
        """Return a column of true and false, (rows,) bool. Yes and 1 count as true, and no and 0 as false."""
        words = np.array([word(value) for value in self.column(name)], dtype=str)
        if (other := ~np.isin(words, ("true", "false"))).any():
            raise InputError(self.where, f"{words[other][0]!r} in the column {name}", "true or false", "correct the table")
        return words == "true"

    def spelt_once(self, name: str) -> np.ndarray:
        """Return :meth:`names`. Two names that differ only in upper and lower case raise an InputError."""
        names = self.names(name)
        seen: dict[str, str] = {}
        for each in np.unique(names):
            if (other := seen.setdefault(each.casefold(), each)) != each:
                found = f"both {other} and {each} in the column {name}"
                raise InputError(self.where, found, "one spelling of each name", "correct the table")
        return names

    def numbers(self, name: str) -> np.ndarray:
        """Return a column of numbers, (rows,) float64."""
        try:
            numbers = self.column(name).astype(np.float64)
        except ValueError as error:
            raise InputError(self.where, f"{error} in the column {name}", "numbers", "correct the table") from error
        if (wrong := ~np.isfinite(numbers)).any():
            found = f"{numbers[wrong][0]} in row {wrong.argmax() + 1} of the column {name}"
            raise InputError(self.where, found, "a number in every row", "correct the table")
        return numbers


def word(value: object) -> str:
    """Return a value of a table or of the config in the form in which values are compared: yes, 1 and true are one value."""
    text = plain(value).lower()
    return _FLAGS.get(text, text)


def stimuli_along(
    root: Path, subject: str, stimuli: Stimuli, coordinates: pd.DataFrame | None, responses: Path
) -> tuple[AxisTable, np.ndarray]:
    """Return the table of the axis ``stimulus`` and the id of each of its rows, (rows,) str."""
    if stimuli.images:
        ids = _image_ids(root, stimuli.images)
        return AxisTable(pd.DataFrame({"stimulus_id": ids}), root / stimuli.images, "stimuli"), ids
    table = _table(root, stimuli.table, subject, coordinates, responses, "stimuli")
    if table is None:
        found = "no coordinates of the axis `stimulus`, and no table of stimuli"
        raise InputError(responses, found, "one of them", "name a table in `stimuli.table`, or a pattern in `stimuli.images`")
    columns = [table.names(name) for name in fields_of(stimuli.id)]
    try:
        return table, np.array([filled(stimuli.id, row) for row in zip(*columns, strict=True)], dtype=str)
    except ValueError as error:
        raise InputError(
            table.where, f"{error} in {stimuli.id}", "whole numbers", "correct `stimuli.id` of this dataset"
        ) from error


def _image_ids(root: Path, images: str) -> np.ndarray:
    """Return the ids of the images in a zip, or of those that match a pattern, (images,) str. image2 is before image10."""
    where = root / images
    if images.endswith(".zip"):
        ids = sorted(ZippedImages(where).ids(), key=_natural)
    else:
        ids = [nfc(f"{file.parent.name}/{file.name}") for file in listed_images(root, images)]
    if not ids:
        raise InputError(where, "no file", "image files", "correct `stimuli.images` of this dataset")
    if ids != (as_text := sorted(ids)):
        place = next(n for n, (one, other) in enumerate(zip(ids, as_text, strict=True)) if one != other)
        logger.warning(
            "%s: stimulus %d is %s, because numbers are compared as numbers. Programs that compare them as text "
            "have %s there. If the responses are in that order, list the images in a table",
            *(where, place + 1, ids[place], as_text[place]),
        )
    return np.array(ids, dtype=str)


def listed_images(root: Path, images: str) -> list[Path]:
    """List the files in one folder that match a pattern such as ``images/*.jpg``, or one zip file of images.

    ``image2.jpg`` is before ``image10.jpg``.
    """
    if images.endswith(".zip"):
        return [root / images]
    folder, _, names = images.rpartition("/")
    return sorted(files_in(root / folder, names), key=lambda file: _natural(file.name))


def units_along(
    root: Path, subject: str, units: Units, coordinates: pd.DataFrame | None, responses: Path, length: int
) -> AxisTable:
    """Return the table of the axis ``unit``. Without any table, it has ``length`` rows without columns."""
    table = _table(root, units.table, subject, coordinates, responses, "units")
    return table or AxisTable(pd.DataFrame(index=range(length)), responses, "units")


def _table(
    root: Path, file: str | None, subject: str, coordinates: pd.DataFrame | None, responses: Path, option: str
) -> AxisTable | None:
    """Read the table of an axis from its file, or take the coordinates of the array; None if there is neither."""
    if file is None:
        return None if coordinates is None else AxisTable(coordinates, responses, option)
    path = require_real_file(
        root / file.replace(SUBJECT, subject), f"correct `{option}.table` of this dataset, or put the file there"
    )
    separators = {".csv": ",", ".tsv": "\t"}
    if path.suffix not in (*separators, ".parquet"):
        found, expected = f"the suffix {path.suffix or 'nothing'}", "one of .csv, .tsv, .parquet"
        raise InputError(path, found, expected, "write the table as one of these")
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            table = table.reset_index(drop=not any(table.index.names))
        else:  # as text, so that ids such as 007 keep their zeros
            table = read_text(path, separators[path.suffix], remedy="If the table is your own, correct it.")
    except (ValueError, OSError) as error:  # the errors of pyarrow are ValueErrors
        raise InputError(path, f"no readable table ({error})", f"a {path.suffix} table", "write it again") from error
    return AxisTable(table.rename(columns=plain), path, option)


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key by which image2 comes before image10."""
    return tuple((int(part or 0), text) for text, part in re.findall(r"(\D*)(\d*)", name))
