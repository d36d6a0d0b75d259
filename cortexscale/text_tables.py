"""Read released tables of text, such as ``events.tsv``. If a table is wrong, an error names the line and the column."""

import csv
import gzip
import math
import re
import zlib
from array import array
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.files import open_unpacked, require_real_file
from cortexscale.listing import plain

_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}
EMPTY = ("", "n/a", "N/A", "NA", "nan", "NaN")
_REMEDY = "take the file as it was released, not a copy that another program has saved. "


def column_names(path: Path | str, separators: str, remedy: str) -> list[str]:
    """Return the names of a table's columns. The arguments have the same meaning as in :func:`read_table`."""
    return _header(path, separators, remedy)[0]


def read_table(
    path: Path | str,
    separators: str,
    numbers: Collection[str] = (),
    text: Collection[str] = (),
    *,
    remedy: str,
    gaps: Collection[str] = (),
) -> pd.DataFrame:
    """Read some columns of a table of UTF-8 text: ``numbers`` as float64 and ``text`` in NFC, without outer white space.

    The names of columns are compared without outer white space and line breaks. Lines without any text are skipped.

    Args:
        separators: possible separators of columns. The separator that is most frequent in the first line of the file is used.
        remedy: says where the file comes from, and ends every message.
        gaps: columns of ``numbers`` in which the texts ``n/a`` and ``nan`` and empty fields are allowed. They are read as nan.

    Raises:
        InputError: the file is missing, is not UTF-8, lacks a column or has no rows; a row has more or fewer fields than the
            header; or a field is empty or not a finite number. The message names the column and the line, counted from 1.
    """
    names, rows = _header(path, separators, remedy)
    wanted = [*numbers, *text]
    if absent := [name for name in wanted if name not in names]:
        found = f"no column {', '.join(absent)}; there are {', '.join(names[:30])}" + (", ..." if len(names) > 30 else "")
        raise InputError(path, found, f"the columns {', '.join(wanted)}", remedy)
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise InputError(path, f"several columns {', '.join(twice)}", "one column of each name", _REMEDY + remedy)
    of_numbers = [(name, names.index(name), array("d")) for name in numbers]
    of_text: list[tuple[int, list[str]]] = [(names.index(name), []) for name in text]
    n_rows = 0
    expected = "a number without a decimal comma or a unit"
    for line, row in _whole_rows(path, names, rows, remedy):
        n_rows += 1
        for name, place, values in of_numbers:
            try:
                values.append(_number(row[place], name in gaps))
            except ValueError:
                field = row[place].strip()
                found = f"{repr(field) if field else 'nothing'} in line {line:,}, column {name}"
                raise InputError(path, found, expected, _REMEDY + remedy) from None
        for place, words in of_text:
            if not (word := plain(row[place])):
                raise InputError(path, f"nothing in line {line:,}, column {names[place]}", "text", _REMEDY + remedy)
            words.append(word)
    if not n_rows:
        raise InputError(path, "no line below the names of the columns", "a table with rows", _REMEDY + remedy)
    columns = {name: np.array(values) for name, _, values in of_numbers}
    return pd.DataFrame(columns | {names[place]: words for place, words in of_text})[wanted]


def read_text(path: Path | str, separators: str, *, remedy: str) -> pd.DataFrame:
    """Read all columns of a table as text in NFC, without outer white space. Empty fields are None; ``NA`` is a text.

    Columns without a name are left out. The arguments, and all other rules, are those of :func:`read_table`.

    Raises:
        InputError: the file is missing or is not UTF-8, two columns have one name, or a row has more or fewer fields than the
            header.
    """
    names, rows = _header(path, separators, remedy)
    if twice := sorted({plain(name) for name in names if name and names.count(name) > 1}):
        raise InputError(path, f"several columns {', '.join(twice)}", "one column of each name", remedy)
    fields = [[plain(field) or None for field in row] for _, row in _whole_rows(path, names, rows, remedy)]
    columns = zip(*fields, strict=True) if fields else [()] * len(names)
    return pd.DataFrame(
        {plain(name): pd.Series(column, dtype=object) for name, column in zip(names, columns, strict=True) if name}
    )


def _whole_rows(
    path: Path | str, names: list[str], rows: Iterator[tuple[int, list[str]]], remedy: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with any text. A row with more or fewer fields than there are names raises an InputError."""
    for line, row in rows:
        if not any(row):
            continue
        if len(row) != len(names):
            found = f"{len(row)} field{'s' * (len(row) != 1)} in line {line:,}, and {len(names)} names of columns"
            raise InputError(path, found, "a field per column in every line", _REMEDY + remedy)
        yield line, row


def _number(field: str, may_be_empty: bool) -> float:
    """Return the finite number in a field, or nan if the field is empty and ``may_be_empty`` is True.

    Raise a ValueError for any other text.
    """
    if may_be_empty and field.strip() in EMPTY:
        return math.nan
    number = float(field)
    if not math.isfinite(number) or "_" in field:
        raise ValueError
    return number


def _header(path: Path | str, separators: str, remedy: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the names of the columns, and an iterator over the lines below them, which yields a line's number and its fields."""
    lines = _lines(require_real_file(path, remedy), remedy)
    first = next(lines, "")
    if not first.strip():
        raise InputError(path, "no names of columns in its first line", "a table with a line of names", remedy)
    separator = max(separators, key=first.count)
    other = max(_SEPARATORS, key=first.count)
    if first.count(other) and not first.count(separator):
        found, expected = (f"columns separated by {_SEPARATORS[sign]}" for sign in (other, separator))
        raise InputError(path, found, expected, _REMEDY + remedy)
    rows = _rows(path, chain([first], lines), separator, remedy)
    _, header = next(rows)
    return [re.sub(r"\s*\n\s*", "", name).strip() for name in header], rows


def _rows(path: Path | str, lines: Iterator[str], separator: str, remedy: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(path, f"{error} in line {reader.line_num:,}", "a table of text", _REMEDY + remedy) from error
        if row is None:
            return
        yield reader.line_num, row


def _whole(path: Path, lines: Iterable[bytes], remedy: str) -> Iterator[bytes]:
    try:
        yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        expected = "a whole compressed file"
        raise InputError(
            path, f"compressed text that is cut or damaged ({error})", expected, f"fetch it again. {remedy}"
        ) from error


def _lines(path: Path, remedy: str) -> Iterator[str]:
    """Yield the lines of a file as text, without a byte-order mark at the beginning of the file."""
    with open_unpacked(path) as file:
        for number, line in enumerate(_whole(path, file, remedy), start=1):
            if b"\0" in line:
                found = f"zero bytes in line {number:,}: binary data, or text that is not UTF-8"
                raise InputError(path, found, "a table of UTF-8 text", _REMEDY + remedy)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                found = f"{line[error.start : error.end]!r} at place {error.start + 1:,} of line {number:,}, which is not UTF-8"
                raise InputError(path, found, "a table of UTF-8 text", _REMEDY + remedy) from error
            yield text
