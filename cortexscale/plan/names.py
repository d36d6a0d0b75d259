"""Suggestions for a name that a study does not have."""

import difflib
from collections.abc import Iterable


def suggestions(name: str, known: Iterable[str], most: int = 6) -> str:
    """List the known names that are most like ``name``, then others, up to ``most``."""
    known = list(known)
    names = list(dict.fromkeys([*difflib.get_close_matches(name, known, n=3), *known]))
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
