"""Ids of stimuli that are missing, and those that are nearly the same."""

from collections.abc import Iterable
from pathlib import PurePath

from cortexscale.errors import nearest
from cortexscale.listing import nfc


def like(id: str, ids: Iterable[str]) -> str:
    """Name the id that is most like one that is missing, in words for a message; empty if none is like it.

    An id that differs only in case, spaces, folder or suffix is said to be spelt otherwise.
    """
    ids = [str(known) for known in ids]
    for key in (lambda id: nfc(id).casefold().strip(), lambda id: PurePath(nfc(id).casefold().strip()).stem):
        if other := next((known for known in ids if key(known) == key(id)), None):
            return f" (there is {other}, spelt otherwise)"
    folder = [known for known in ids if PurePath(known).parent == PurePath(id).parent]
    return f" (the nearest is {near})" if (near := nearest(id, folder or ids)) else ""
