"""Suggestions for missing ids of stimuli."""

from collections.abc import Iterable
from pathlib import PurePath

from cortexscale.errors import nearest
from cortexscale.listing import nfc


def like(id: str, ids: Iterable[str]) -> str:
    """Name the id that is most similar to a missing one, in words for a message. If none is similar, the text is empty.

    If an id differs only in case, spaces, folder or suffix, the text says that it is spelt otherwise.
    """
    ids = [str(known) for known in ids]
    for key in (lambda id: nfc(id).casefold().strip(), lambda id: PurePath(nfc(id).casefold().strip()).stem):
        if other := next((known for known in ids if key(known) == key(id)), None):
            return f" (there is {other}, spelt otherwise)"
    folder = [known for known in ids if PurePath(known).parent == PurePath(id).parent]
    return f" (the nearest is {near})" if (near := nearest(id, folder or ids)) else ""
