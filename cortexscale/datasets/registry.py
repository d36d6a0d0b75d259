"""The built-in datasets. Everything about a dataset is in the folder with its name, beside this file."""

import tomllib
from functools import cache
from pathlib import Path

from cortexscale.datasets.facts import Facts

NAMES = (
    "freemanziemba",
    "majajhong",
    "tvsd",
    "things_fmri",
    "nsd",
    "things_eeg1",
    "things_eeg2",
    "things_meg",
    "cowley2023",
)
"""Names of the built-in datasets: those of the paper in the order of its figures, and others after them."""

FACTS_FILES = tuple(Path(__file__).parent / name / "facts.toml" for name in NAMES)
"""Files of facts. ``plan.code`` finds only imported files. A rule whose script reads facts therefore passes these files to
``plan.code`` as well."""


def reader_module(name: str) -> str:
    """Return the import path of the module that reads a built-in dataset."""
    return f"cortexscale.datasets.{name}.reader"


def simulator_module(name: str) -> str:
    """Return the import path of the module that simulates a release of a built-in dataset."""
    return f"cortexscale.datasets.{name}.simulate"


def facts(reader: str) -> Facts | None:
    """Return the facts of a built-in dataset. For a user's reader (the path of a ``.py`` file), return None."""
    return all_facts().get(reader)


@cache
def all_facts() -> dict[str, Facts]:
    """Return the facts of every built-in dataset, in the order of :data:`NAMES`."""
    return {file.parent.name: Facts(**tomllib.loads(file.read_text(encoding="utf-8"))) for file in FACTS_FILES}
