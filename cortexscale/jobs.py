"""Passing of values from rules to scripts. The ``main`` of a script gets the named values of its rule as arguments.

Params are plain values, because Snakemake compares them as text to decide whether a job must run again. The rule makes them with
:func:`plain`, and :func:`run` converts them back to the annotated types.
"""

import errno
import inspect
import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from cortexscale.errors import InputError, Problems
from cortexscale.origins import note

_TRIGGERS = ("code", "made_of")
"""Names of params of rules: the digest of the code of a stage, and the digest of the files from outside the study that the stage
reads. If a digest changes, the result is made again. ``main`` takes a digest as an argument only if it writes the digest to the
provenance of a result."""

_PLACES = ("checkpoint", "file", "path")
"""Keys of dicts whose values are paths of files from outside the study."""


class Place(str):
    """A path that does not count when params are compared. Results depend on the content of the file, and not on its path."""

    def __repr__(self) -> str:
        return "a path"


Job = Any
"""The type of the object ``snakemake`` that Snakemake gives to a script. This package does not import Snakemake."""


def place(path: str | None) -> Place | None:
    """Return a path as a :class:`Place`. If it is None, return None."""
    return None if path is None else Place(path)


def plain(value: Any) -> Any:
    """Return a value as plain JSON. Dataclasses, sections of the config and paths are converted, also within lists and dicts.

    Paths of files from outside the study become :class:`Place`.
    """
    return _with_places(to_jsonable_python(value))


def _with_places(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_places(entry) for entry in value]
    if isinstance(value, dict):
        places = {key: Place(entry) for key, entry in value.items() if key in _PLACES and isinstance(entry, str)}
        return {key: _with_places(entry) for key, entry in value.items()} | places
    return value


def run(main: Callable[..., None], job: Job) -> None:
    """Call the ``main`` of a script with the arguments from its job, and write a note of the origin of each result.

    Log messages go to the log of the job.
    """
    with logged(job.log[0]):
        main(**arguments_of(main, job))
        note(job.output, job.rule, job.params, job.input)


_OF_THE_DISK = {
    errno.EACCES: ("a file that this user may use", "change its permissions or those of its folder (chmod), as its owner"),
    errno.EPERM: ("a file that this user may use", "change its permissions or those of its folder (chmod), as its owner"),
    errno.EROFS: ("a disk that can be written", "choose a results folder on another disk"),
    errno.ENOSPC: ("a disk with free space", "make room on the disk (also /tmp and /dev/shm), and run again"),
    errno.EDQUOT: ("a quota with free space", "make room below the quota of this user, and run again"),
    errno.EMFILE: ("fewer open files", "raise the limit of open files: ulimit -n 4096"),
    errno.EIO: ("a disk that works", "check the disk or the network"),
    errno.ESTALE: ("a disk that stays mounted", "mount the network disk again, and run again"),
}
"""Error number -> ``expected`` and ``remedy`` of an InputError, for errors of the operating system that no code can prevent."""


@contextmanager
def logged(path: Path | str) -> Iterator[None]:
    """Write all log records of the block to ``path``, and warnings and errors also to the terminal.

    After an InputError, or an error in ``_OF_THE_DISK``, the process ends and shows only the message. Any other exception keeps
    its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a letter that the terminal cannot show does not end the job
    to_file, to_terminal = logging.FileHandler(path, mode="w", encoding="utf-8"), logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[to_file, to_terminal], force=True
    )
    logging.captureWarnings(True)
    try:
        yield
    except InputError as error:
        logging.error("%s", error)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            logging.exception("the job failed")
            raise
        logging.error(
            "%s",
            InputError(
                error.filename or f"a file of the job with the log {path}", f"{error.strerror}", *_OF_THE_DISK[error.errno]
            ),
        )
        sys.exit(1)
    except Exception:
        logging.exception("the job failed")
        raise


def arguments_of(main: Callable[..., None], job: Job) -> dict[str, Any]:
    """Get the arguments of a script's ``main`` from its job.

    ``main`` needs a parameter for every named input, output and param of the rule. An input that a job only waits for has no
    name. The rule can omit a parameter with a default. A parameter for a single file accepts a list of one file. If the list is
    empty, the parameter has its default.

    Raises:
        InputError: it lists names that only the rule or only ``main`` has, names that the rule uses twice, and values that do not
            have the annotated type.
    """
    parameters, types = inspect.signature(main).parameters, get_type_hints(main, include_extras=True)
    script, problems = Path(main.__globals__.get("__file__", main.__code__.co_filename)).name, Problems()

    def report(name: str, found: str, expected: str, remedy: str) -> None:
        problems.found.append(InputError(f"`{name}` of rule {job.rule} and main of {script}", found, expected, remedy))

    given: dict[str, Any] = {}
    named = [(kind, *pair) for kind in ("input", "output", "params", "resources") for pair in getattr(job, kind).items()]
    for kind, name, value in [*named, ("threads", "threads", job.threads), ("log", "log", job.log[0])]:
        if name not in parameters:
            if kind in ("input", "output", "params") and name not in _TRIGGERS:
                remedy = "drop it from the rule, or take it in main; an input that is only waited for has no name"
                report(name, f"a name in {kind} that main does not take", "a parameter of main", remedy)
            continue
        if name in given:
            report(name, f"two values in the rule, one of them in {kind}", "one value", "rename one of them")
        if kind in ("input", "output") and isinstance(value, list) and get_origin(types[name]) is not list and len(value) < 2:
            if not value:
                continue
            (value,) = value
        given[name] = value
    arguments: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if name in given:
            try:
                arguments[name] = TypeAdapter(types[name]).validate_python(given[name])
            except ValidationError as error:
                wrong = "; ".join(": ".join(map(str, [*each["loc"], each["msg"]])) for each in error.errors())
                expected = f"a value of the type {inspect.formatannotation(types[name])}"
                report(name, f"{given[name]!r} ({wrong})", expected, "correct the rule or main")
        elif parameter.default is parameter.empty:
            expected = "an input, output, param or resource of this name"
            report(name, "no value in the rule", expected, "add it, or drop it from main")
    problems.require_none()
    return arguments
