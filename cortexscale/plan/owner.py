"""The study that owns a results folder, and the process that writes into it."""

import atexit
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cortexscale.errors import InputError
from cortexscale.files import write_text
from cortexscale.origins import OWNER

_WRITER = ".writer.json"


def require_place(results: str, contained: Mapping[str, Path], given: Mapping[str, str]) -> None:
    """Raise an InputError if a path cannot be a results folder. Links are followed.

    Args:
        contained: description -> folder that a results folder must neither be nor contain.
        given: config key -> path of input files. The results folder must neither be at this path nor below it, because new files
            there would change the inputs.
    """
    where, expected, remedy = "config key results", "a folder of its own for results", "write `results: results`, or another path"
    folder = Path(results).resolve()
    if file := next((place for place in (folder, *folder.parents) if place.exists() and not place.is_dir()), None):
        found = "which is a file" if file == folder else f"and {file} is a file"
        raise InputError(where, f"{results}, {found}", "a folder", "name another path")
    for what, place in contained.items():
        if _is_in(place.resolve(), folder):
            raise InputError(
                where, f"{results}, which {'is' if place.resolve() == folder else 'contains'} {what}", expected, remedy
            )
    for key, path in given.items():
        if _is_in(folder, Path(path).resolve()):
            found = (
                f"{results}, which {'is' if Path(path).resolve() == folder else 'lies in'} the raw data {path} (config key {key})"
            )
            raise InputError(where, found, f"{expected}, apart from raw data", remedy)


def _is_in(folder: Path, other: Path) -> bool:
    return other in (folder, *folder.parents)


def require_owner(results: str, study: str) -> None:
    """Raise an InputError if the results folder belongs to another study, or has a damaged file about its owner."""
    marker = Path(results) / OWNER
    if not marker.exists():
        return
    owner = _facts(marker).get("study")
    if owner is None:
        remedy = f"if these are results of the study `{study}`, delete this file, and run again; the next run writes it anew"
        raise InputError(marker, "a damaged file", "the name of the study that owns the folder", remedy)
    if owner != study:
        remedy = "set `results:` in the config to a folder of its own, or pass the config file of that study with --configfile"
        raise InputError(marker, f"results of study `{owner}`", f"results of study `{study}`, or an empty folder", remedy)


def claim(results: str, study: str) -> None:
    """Note in a results folder which study owns the folder, and that this process is writing into the folder.

    Raises:
        InputError: another process that has not ended writes into the folder, or this user has no permission to write into it.
    """
    folder = Path(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _become_writer(folder.absolute() / _WRITER)  # Snakemake leaves its working directory before it ends
        if not (folder / OWNER).exists():
            write_text(folder / OWNER, json.dumps({"study": study}) + "\n")
    except OSError as error:
        found, remedy = (
            f"{results}, where nothing can be written: {error.strerror}",
            "name another path, or mend the permissions or disk",
        )
        raise InputError("config key results", found, "a folder that this user may write into", remedy) from error


def _become_writer(file: Path) -> None:
    facts = {"machine": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    while True:
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            _require_ended(file)
            file.unlink(missing_ok=True)
        else:
            with os.fdopen(handle, "w", encoding="utf-8") as content:
                json.dump(facts, content)
            atexit.register(_leave, file, os.getpid())
            return


def _leave(file: Path, process: int) -> None:
    if os.getpid() == process:  # a forked copy of the process keeps the file
        file.unlink(missing_ok=True)


def _require_ended(file: Path) -> None:
    """Raise an InputError unless the process that a file names ran on this machine and has ended."""
    writer = _facts(file)
    if writer.get("machine") == socket.gethostname() and not _runs(int(writer.get("process", 0))):
        return
    found = "process {process} on {machine}, which writes into this folder since {since}".format_map(
        {"process": "a", "machine": "an unknown machine", "since": "an unknown time"} | writer
    )
    remedy = f"wait until it ends; if it ended without deleting this file, delete it: rm {file}"
    raise InputError(file, found, "one run of a study at a time in a results folder", remedy)


def _runs(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process > 0


def _facts(file: Path) -> dict[str, Any]:
    """Read a small JSON file; an empty dict if it is damaged."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
