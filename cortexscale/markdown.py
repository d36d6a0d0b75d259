"""Tables in Markdown, for people to read."""

from collections.abc import Collection

import pandas as pd


def markdown_table(cells: pd.DataFrame, note: str = "", *, left: Collection[str] = ()) -> str:
    """Write a table in Markdown with a note below it. Columns in ``left`` are aligned left, all others right."""
    escaped = cells.astype(str).replace({r"\|": r"\\|"}, regex=True)
    sides = ["left" if column in left else "right" for column in cells]
    table = escaped.to_markdown(index=False, disable_numparse=True, colalign=sides)
    return f"{table}\n\n{note}\n" if note else f"{table}\n"
