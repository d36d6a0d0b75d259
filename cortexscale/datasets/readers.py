"""Loading of modules that read datasets. A module belongs to a built-in dataset, or is a file of the user."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from cortexscale.code import load_module
from cortexscale.datasets.facts import MODALITY_NAMES
from cortexscale.datasets.registry import NAMES, facts, reader_module, simulator_module
from cortexscale.errors import InputError
from cortexscale.section import Refused, apart, part_of_path
from cortexscale.study.data import Modality

INTERFACE = ("SUBJECTS", "ROIS", "SOURCE", "Options", "raw_files", "inspect", "memory_mb", "shape", "read")

COLUMNS = {"unit", "nc_percent", "kept", "released", "recomputed", "channel", "time"}
"""Columns of the screening table of a recording that are not ROIs. No ROI can have such a name."""


DESCRIBED = "table"
"""Name of the reader for recordings that the config describes. It belongs to no dataset."""


def load_reader(reader: str, where: str = "reader") -> ModuleType:
    """Import the module of a built-in dataset or of the reader ``table``.

    The path of a ``.py`` file is relative to the working directory.
    """
    if reader.endswith(".py"):
        return load_module(Path(reader), where)
    if reader == DESCRIBED:
        return importlib.import_module("cortexscale.datasets.table")
    _require_built_in(reader, f"{DESCRIBED}, or the path of a .py file", where)
    return importlib.import_module(reader_module(reader))


def load_simulator(reader: str, where: str = "reader") -> ModuleType:
    """Import the module that simulates a release of a built-in dataset. It has ``Settings``, ``AREAS`` and ``simulate``."""
    _require_built_in(reader, "the readers that have a simulation", where)
    return importlib.import_module(simulator_module(reader))


def _require_built_in(reader: str, else_expected: str, where: str) -> None:
    if reader not in NAMES:
        expected = f"one of {', '.join(NAMES)}, {else_expected}"
        raise InputError(where, reader, expected, "correct the name, or see docs/adding_a_dataset.md")


def default_modality(reader: str, where: str) -> Modality | None:
    """Return the modality of a reader's dataset, from the facts of a built-in dataset or ``MODALITY`` of a user's module."""
    known = facts(reader)
    if known:
        return known.modality
    modality = getattr(load_reader(reader, where), "MODALITY", None)
    if modality is not None and modality not in MODALITY_NAMES:
        raise InputError(where, f"MODALITY {modality!r} of {reader}", f"one of {', '.join(MODALITY_NAMES)}", "correct the module")
    return modality


def require_interface(module: ModuleType, where: str) -> None:
    """Raise an InputError if a module lacks a part that a reader needs."""
    missing = [name for name in INTERFACE if not hasattr(module, name)]
    if missing:
        expected = f"a dataset module with {', '.join(INTERFACE)}"
        remedy = "`snakemake check_dataset --config dataset=NAME` says more; see docs/adding_a_dataset.md"
        raise InputError(where, f"{module.__file__} without {', '.join(missing)}", expected, remedy)


def require_names(module: ModuleType, where: str) -> None:
    """Raise an InputError if the subjects or ROIs of a reader are not names, or are names that a file cannot have."""
    for kind in ("SUBJECTS", "ROIS"):
        names, remedy = getattr(module, kind), f"correct {kind} in the module"
        if names is None:  # only the files have the names
            continue
        if not (isinstance(names, tuple | list) and names and all(isinstance(name, str) for name in names)):
            raise InputError(where, f"{kind} {names!r:.200} in {module.__file__}", "a tuple of names", remedy)
        try:
            apart([part_of_path(name) for name in names])
        except Refused as refused:
            raise InputError(where, f"{refused.found} among {kind} of {module.__file__}", refused.expected, remedy) from None
        if taken := COLUMNS.intersection(names):
            found, expected = (
                f"the name {min(taken)} among {kind} of {module.__file__}",
                "other names than columns of a recording",
            )
            raise InputError(where, found, f"{expected}: {', '.join(sorted(COLUMNS))}", remedy)


def require_known(names: Sequence[str], known: Sequence[str] | None, where: str) -> None:
    """Raise an InputError if there are subjects or ROIs that a reader does not have. None means that the names are only in the
    files."""
    if known is None:
        return
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(where, ", ".join(unknown), f"names among {', '.join(known)}", "correct the names")
