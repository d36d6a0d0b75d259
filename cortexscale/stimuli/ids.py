"""Search for ids that are nearly the same as an id that is missing."""

from collections.abc import Iterable
from pathlib import PurePath

from cortexscale.errors import nearest
from cortexscale.listing import nfc


def like(id: str, ids: Iterable[str]) -> str:
    """Name, for a message, which of ``ids`` is most like the missing ``id``. If none of them is similar, return "".

    If both ids differ only in case, spaces or suffix, the text says that the id is spelt otherwise.
    """
    wanted, known = _letters(id), {str(other): _letters(str(other)) for other in ids}
    if other := next((other for other, letters in known.items() if letters == wanted), None):
        return f" (there is {other}, spelt otherwise)"
    if other := next((other for other, letters in known.items() if letters.name == wanted.name), None):
        return f" (there is {other}, in another folder)"
    same_folder = [other for other, letters in known.items() if letters.parent == wanted.parent]
    return f" (the nearest is {near})" if (near := nearest(id, same_folder or known)) else ""


def _letters(id: str) -> PurePath:
    """Remove the parts of an id that often differ between disks and programs: case, spaces and suffix."""
    return PurePath("".join(nfc(id).casefold().split())).with_suffix("") if id.strip(". /") else PurePath()
