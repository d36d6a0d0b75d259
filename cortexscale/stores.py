"""Tables that one stage writes and another reads: tidy parquet files with their provenance."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import to_jsonable_python

from cortexscale.errors import InputError
from cortexscale.files import whole_file, write_text

PACKAGES = ("cortexscale", "numpy", "scipy", "torch", "timm", "zarr")


def file_hash(path: Path | str) -> str:
    """Return the hash of a file's content. The file is read in blocks."""
    with Path(path).open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def provenance(*, inputs: Mapping[str, Path | str] | None = None, **facts: Any) -> dict[str, Any]:
    """Collect the provenance of a result: hashes of its inputs, the given facts, package versions and the type of machine.

    Facts are all other values on which the result depends. Sections of the config and dataclasses become plain JSON.
    """
    return {
        **to_jsonable_python(facts, fallback=str),
        "inputs": {name: file_hash(path) for name, path in (inputs or {}).items()},
        "packages": {package: version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def write_table(table: pd.DataFrame, path: Path | str, made_by: dict[str, Any]) -> None:
    """Write a table as a parquet file with its provenance. The file appears complete or not at all."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    notes = {**(arrow.schema.metadata or {}), b"made_by": json.dumps(made_by, default=str).encode()}
    arrow = arrow.replace_schema_metadata(notes)
    with whole_file(path) as part:
        pq.write_table(arrow, part)


def write_readable(table: pd.DataFrame, markdown: str, files: Iterable[Path], made_by: dict[str, Any]) -> None:
    """Write a table to files. A file's suffix decides its format: ``.parquet`` with provenance, ``.csv`` or ``.md``."""
    for file in files:
        match file.suffix:
            case ".parquet":
                write_table(table, file, made_by)
            case ".csv":
                write_text(file, table.to_csv(index=False))
            case ".md":
                write_text(file, markdown)
            case suffix:
                raise ValueError(f"{file}: no table is written as {suffix}")


def read_table(path: Path | str, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a parquet table. A file of another kind, or a table that lacks one of the ``columns``, raises an InputError."""
    remedy = "delete the file and run again"
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError:
        where = f"{Path(path).absolute()}"
        raise InputError(where, "nothing", "a table of the study", "run the study again; it makes the table") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(path, f"not a readable table ({error})", "a parquet file", remedy) from None
    if missing := [column for column in columns if column not in table]:
        raise InputError(path, f"no column {', '.join(missing)}", f"columns {', '.join(columns)}", remedy)
    return table


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object. A file that is incomplete, or holds anything else, raises an InputError."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(path, f"no readable JSON ({error})", "a whole file", "delete the file and run again") from None
    if not isinstance(facts, dict):
        raise InputError(path, f"a {type(facts).__name__}", "names with their values", "delete the file and run again")
    return facts


def table_provenance(path: Path | str) -> dict[str, Any]:
    """Read the provenance that :func:`write_table` stored."""
    return json.loads(pq.read_schema(path).metadata[b"made_by"])
