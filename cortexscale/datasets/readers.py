"""Finding the module that reads a dataset: one of this package, or a file of the user's own."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ValidationError

from cortexscale.code import load_module
from cortexscale.errors import InputError
from cortexscale.study.section import describe

INTERFACE = ("SUBJECTS", "ROIS", "SOURCE", "Options", "raw_files", "inspect", "memory_mb", "shape", "read")
_HERE = Path(__file__).parent


def load_reader(reader: str, where: str = "reader") -> ModuleType:
    """The module of a ``reader`` of the config.

    Args:
        reader: ``tvsd``, a module beside this file; or ``my/reader.py``, a file, relative to the working directory.
        where: the config key that names it, for messages.

    Raises:
        InputError: there is no such module or file, or it cannot be imported.
    """
    if reader.endswith(".py"):
        return load_module(Path(reader), where)
    name = f"cortexscale.datasets.{reader}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        known = sorted(file.stem for file in _HERE.glob("*.py") if "\ndef read(" in file.read_text())
        expected = f"one of {', '.join(known)}, or the path of a .py file"
        raise InputError(where, reader, expected, "correct the name, or see docs/adding_a_dataset.md") from None


def require_interface(module: ModuleType, where: str) -> None:
    """Raise an InputError for a module without the parts of a dataset module."""
    missing = [name for name in INTERFACE if not hasattr(module, name)]
    if missing:
        expected = f"a dataset module with {', '.join(INTERFACE)}"
        remedy = "`snakemake check_dataset --config dataset=NAME` says more; see docs/adding_a_dataset.md"
        raise InputError(where, f"{module.__file__} without {', '.join(missing)}", expected, remedy)


def checked(model: type[BaseModel], given: dict[str, Any], where: str) -> BaseModel:
    """A module's ``Options`` or ``Settings`` with the values of the config.

    Raises:
        InputError: lists every unknown key and wrong value.
    """
    try:
        return model(**given)
    except ValidationError as error:
        lines = "".join(f"\n      - {describe(problem, model.model_fields)}" for problem in error.errors())
        raise InputError(
            where,
            f"{error.error_count()} problem(s){lines}",
            f"the {model.__name__.lower()} of {model.__module__}",
            f"see the class {model.__name__} there",
        ) from None


def require_known(names: Sequence[str], known: Sequence[str], where: str) -> None:
    """Raise an InputError for subjects or ROIs that the reader does not have."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(where, ", ".join(unknown), f"names among {', '.join(known)}", "correct the names")
