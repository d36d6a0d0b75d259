"""Find missing files that are in a nearby folder or in an archive."""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path, PurePath

from cortexscale.errors import InputError
from cortexscale.listing import files_below, files_in

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z")
_DEPTH = 4  # number of folder levels below the root that are searched
_MOST = 50_000  # largest number of files that are examined


def hints(root: Path, missing: Sequence[PurePath]) -> list[str]:
    """Suggest where missing files could be. ``missing`` has paths relative to ``root``."""
    found, unreadable = [] if root.is_dir() else [f"there is no folder {root}"], list[InputError]()
    below = list(islice(files_below(root, _DEPTH, unreadable.append), _MOST))
    found += [f"{error.where} is {error.found}" for error in unreadable[:3]]
    named: dict[str, list[Path]] = {}
    for file in below:
        named.setdefault(file.name, []).append(file)
    roots = Counter(place for path in missing if (place := _other_root(root, path, named.get(path.name, []))) is not None)
    found += [f"{n} of them would be found if the path were {place}" for place, n in roots.most_common(3)]
    return found + unpacked_hint(root, below, wanted={path.name for path in missing})


def files_near(root: Path) -> list[Path]:
    """List readable files in ``root`` and in a few levels of folders below it."""
    return list(islice(files_below(root, _DEPTH, lambda error: None), _MOST))


def unpacked_hint(root: Path, below: Sequence[Path], wanted: Collection[str] = ()) -> list[str]:
    """Name archives that perhaps were not unpacked yet.

    The archives are beside ``root``, or among the files ``below`` it. Archives that are ``wanted`` files are left out.
    """
    beside: list[Path] = []
    with suppress(InputError):  # the folder above can be unreadable if it belongs to somebody else
        beside = files_in(root.parent)
    archives = [file for file in chain(below, beside) if file.name.lower().endswith(ARCHIVES) and file.name not in wanted]
    return [f"perhaps not unpacked: {', '.join(map(str, archives[:3]))}"] if archives else []


def _other_root(root: Path, path: PurePath, named_so: Sequence[Path]) -> Path | None:
    """Return another folder that could be the root, because it has the file ``path``. If there is none, return None."""
    for above in islice(root.absolute().parents, 2):
        if (above / path).is_file():
            return above
    end = "/" + path.as_posix()
    return next((Path(place.as_posix().removesuffix(end)) for place in named_so if place.as_posix().endswith(end)), None)
