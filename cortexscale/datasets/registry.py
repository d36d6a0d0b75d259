"""The datasets that this package reads. Everything that is known of a dataset lies in the folder of its name beside this file."""

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
)
"""Names of the built-in datasets, in the order of the paper's figures."""

FACTS_FILES = tuple(Path(__file__).parent / name / "facts.toml" for name in NAMES)
"""The files of facts. A rule whose script reads facts passes these files to ``plan.code``, which finds only imports by itself."""


def reader_module(name: str) -> str:
    """Import path of the module that reads a built-in dataset."""
    return f"cortexscale.datasets.{name}.reader"


def simulator_module(name: str) -> str:
    """Import path of the module that writes a simulated release of a built-in dataset."""
    return f"cortexscale.datasets.{name}.simulate"


def facts(reader: str) -> Facts | None:
    """Return the facts of a built-in dataset; None for a reader of the user's own (the path of a ``.py`` file)."""
    return all_facts().get(reader)


@cache
def all_facts() -> dict[str, Facts]:
    """Return the facts of every built-in dataset, in the order of :data:`NAMES`."""
    return {file.parent.name: Facts(**tomllib.loads(file.read_text(encoding="utf-8"))) for file in FACTS_FILES}
