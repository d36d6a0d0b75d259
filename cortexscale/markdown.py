"""Tables in Markdown, for people to read."""

import re
from collections.abc import Collection

import pandas as pd

_SPECIAL = re.compile(r"[\\`*|$]|<(?=[A-Za-z/!?])|\](?=\()|&(?=#?\w+;)|(?<!\w)_|_(?!\w)")
"""Characters with a meaning in Markdown or in GitHub's formulas. An underscore within a word has no such meaning."""


def markdown_table(cells: pd.DataFrame, note: str = "", *, left: Collection[str] = ()) -> str:
    """Write a table in Markdown with a note below it. Columns in ``left`` are aligned left, all others right.

    Cells and names of columns are shown as they stand: characters with a meaning in Markdown are escaped. A number between two
    pairs of asterisks is bold.
    """
    sides = ["left" if column in left else "right" for column in cells]
    escaped = cells.astype(str).map(_escaped).rename(columns=lambda name: _escaped(str(name)))
    table = escaped.to_markdown(index=False, disable_numparse=True, colalign=sides)
    return f"{table}\n\n{note}\n" if note else f"{table}\n"


def _escaped(text: str) -> str:
    if re.fullmatch(r"\*\*[\d.]+\*\*", text):
        return text
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
