"""Notes of how results were made, and the comparison of results with these notes.

The note of a result is the file ``origins/<result>.json`` in the results folder. It says which rule made the result, with which
params and from which inputs, and has the digest of the result's content. A note has the same modification time as its result.
While the two times are equal, the result need not be read again.
"""

import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from cortexscale.contents import digest_of
from cortexscale.files import write_text

FOLDER = "origins"
OWNER = "study.json"
_RESULTS = "<results>/"


@dataclass(frozen=True)
class Origin:
    """Describes how a result was made.

    Attributes:
        params: the params of the rule that made the result, as sorted texts.
        inputs: path of a file that the rule read -> digest of its content, or None if the file has no note. Paths of files in the
            same results folder begin with ``<results>/``.
        made_ns: modification time of the result in nanoseconds.
        content: digest of the content of the result; None for a folder.
    """

    rule: str
    params: list[str]
    inputs: dict[str, str | None]
    made_ns: int
    content: str | None

    @classmethod
    def of(cls, result: Path, results: Path, rule: str, params: Collection[object], inputs: Collection[str]) -> "Origin":
        """Describe a result that was just made, by a rule with these params and input files."""
        texts = sorted(repr(value) for value in params if isinstance(value, _COMPARED))
        made_ns, content = (time.time_ns(), None) if result.is_dir() else (result.stat().st_mtime_ns, digest_of(result))
        contents = {_relative(file, results): _content(file, results) for file in inputs}
        return cls(rule, texts, contents, made_ns, content)

    def input_files(self, results: str) -> list[str]:
        """Return the paths of the inputs, for a results folder at the path ``results``."""
        return sorted(file.replace(_RESULTS, f"{results}/", 1) if file.startswith(_RESULTS) else file for file in self.inputs)

    def save(self, note: Path) -> None:
        write_text(note, json.dumps(asdict(self)))
        os.utime(note, ns=(self.made_ns, self.made_ns))


_COMPARED = (type(None), int, float, str, list, tuple, dict, set, frozenset, bytes)
"""Types of params that a note stores as text. Params of other types are not compared."""


def note(outputs: Collection[str], rule: str, params: Collection[object], inputs: Collection[str]) -> None:
    """Write the notes of the results of a job. A file outside of a results folder gets no note."""
    for output in map(Path, outputs):
        results = next((folder for folder in output.parents if (folder / OWNER).is_file()), None)
        if results:
            Origin.of(output, results, rule, params, inputs).save(_note(results, output.relative_to(results)))


class Records(Protocol):
    """Gives access to what the workflow remembers of each result that it made."""

    def get(self, result: str) -> tuple[list[str], list[str]] | None:
        """Return the params and inputs that a result was made from; None if the workflow does not remember the result."""

    def put(self, result: str, rule: str, params: list[str], inputs: list[str]) -> None:
        """Remember what a result was made from."""


def reconcile(
    results: str, records: Records, seen: dict[str, list[int]], *, temporary: Collection[str], makes: Callable[[str], bool]
) -> dict[str, str]:
    """Make a workflow remember the notes of all results of a folder, and return the results that differ from their notes.

    For a result that differs, the workflow remembers the difference instead of the params. The workflow then makes the result
    again if a requested result needs it. Results that were copied from elsewhere with their notes are remembered as if they had
    been made here.

    Args:
        seen: result -> the state in which it was last compared. A result that is still in this state is not read. This function
            updates ``seen``.
        temporary: the rules whose results the workflow deletes by itself.
        makes: tells whether the workflow can make a file.

    Returns:
        result -> how it differs, such as ``was deleted``.
    """
    different = {}
    for result, note in _noted(Path(results)):
        state = [note.stat().st_mtime_ns, int(result.exists())]
        unchanged = not result.exists() or result.is_dir() or _same_date(result, note)
        if unchanged and seen.get(str(result)) == state:
            continue
        origin = _read(note)
        why = _difference(result, note, origin, temporary)
        if origin and not why:
            why = _other_input(origin, Path(results))
        if why and not makes(str(result)):  # the study has changed and no longer has this result
            continue
        if why:
            different[str(result)] = why
            seen.pop(str(result), None)
        else:
            seen[str(result)] = state
        params = [f"{result} {why}"] if why or origin is None else origin.params
        known = (params, origin.input_files(results) if origin else [])
        if records.get(str(result)) != known:
            records.put(str(result), origin.rule if origin else "", *known)
    for file in _without_note(Path(results)):
        if records.get(str(file)) is None and makes(str(file)):
            different[str(file)] = "has no note of its origin"
            records.put(str(file), "", [f"{file} has no note of its origin"], [])
    return different


def _noted(results: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the path of every result that has a note, and the path of the note. The result itself may be missing."""
    for note in sorted((results / FOLDER).rglob("*/*.json")):
        yield results / note.relative_to(results / FOLDER).with_suffix(""), note


def _without_note(results: Path) -> Iterator[Path]:
    """Yield every file that has no note. Files in a folder that has a note are left out."""
    for folder, folders, files in os.walk(results):
        place = Path(folder).relative_to(results)
        folders[:] = [name for name in folders if name != FOLDER and not _note(results, place / name).exists()]
        yield from (Path(folder, name) for name in files if not _note(results, place / name).exists())


def _read(note: Path) -> Origin | None:
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        return Origin(**facts) if isinstance(facts["inputs"], dict) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _difference(result: Path, note: Path, origin: Origin | None, temporary: Collection[str]) -> str:
    """Say how a result differs from its note. If it does not differ, return an empty text.

    If a result was copied and its content agrees with its note, the result and the note get the modification time that the note
    states. The copy is then as old as the result that it was copied from.
    """
    if origin is None:
        return "has a damaged note of its origin"
    if not result.exists():
        return "" if origin.rule in temporary else "was deleted"
    if origin.content is None or (_same_date(result, note) and note.stat().st_mtime_ns == origin.made_ns):
        return ""
    if digest_of(result) != origin.content:
        return "was changed after it was made"
    with suppress(OSError):  # the folder may be read-only
        for file in (result, note):
            os.utime(file, ns=(origin.made_ns, origin.made_ns))
    return ""


def _other_input(origin: Origin, results: Path) -> str:
    """Say which input was different when the result was made. This happens if results are copied from another study."""
    for file, content in origin.inputs.items():
        now = _content(file.replace(_RESULTS, f"{results}/", 1), results)
        if content and now and content != now:
            return f"was made from another {file.removeprefix(_RESULTS)}"
    return ""


def _content(file: str, results: Path) -> str | None:
    """Return the digest that the note of a file in the results folder states; None if the file has no note."""
    place = _relative(file, results)
    origin = _read(_note(results, Path(place.removeprefix(_RESULTS)))) if place.startswith(_RESULTS) else None
    return origin.content if origin else None


def _same_date(result: Path, note: Path) -> bool:
    return result.stat().st_mtime_ns == note.stat().st_mtime_ns


def _note(results: Path, relative: Path) -> Path:
    return results / FOLDER / f"{relative}.json"


def _relative(file: str, results: Path) -> str:
    return f"{_RESULTS}{Path(file).relative_to(results)}" if Path(file).is_relative_to(results) else file
