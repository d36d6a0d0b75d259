"""A results folder belongs to one study, whose name it holds in ``study.json``."""

import json
from pathlib import Path

from cortexscale.errors import InputError


def require_owner(results: str, study: str) -> None:
    """Raise an InputError if a results folder belongs to another study."""
    marker = _marker(results)
    if not marker.exists():
        return
    owner = json.loads(marker.read_text(encoding="utf-8"))["study"]
    if owner != study:
        raise InputError(
            marker,
            f"results of study `{owner}`",
            f"results of study `{study}`, or an empty folder",
            "set `results:` in the config to a folder of its own, or pass the config file of that study with --configfile",
        )


def claim(results: str, study: str) -> None:
    """Note in a results folder that it belongs to a study."""
    marker = _marker(results)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"study": study}) + "\n", encoding="utf-8")


def _marker(results: str) -> Path:
    return Path(results) / "study.json"
