"""The origin of results: the config, the code, the machine, and the provenance that every table carries."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from cortexscale.stores import file_hash, table_provenance

REPOSITORY = Path(__file__).parents[2]


def run_facts(config: Mapping[str, Any], tables: Sequence[Path]) -> dict[str, str]:
    """Describe the run in a few words.

    Args:
        config: config of the study, with all defaults.
        tables: parquet files of the study. Versions of packages are those that made them, not those of this process.
    """
    made_by = [table_provenance(table) for table in tables]
    versions: dict[str, set[str]] = {}
    for each in made_by:
        for package, version in {**each["packages"], "python": each["python"]}.items():
            versions.setdefault(package, set()).add(version)
    return {
        "Study": config["study"],
        "Config": hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=16).hexdigest(),
        "Code": commit(),
        "Versions": ", ".join(f"{package} {' and '.join(sorted(found))}" for package, found in sorted(versions.items())),
        "Machine": ", ".join([*sorted({each["machine"] for each in made_by}), platform.system()]),
    }


def commit() -> str:
    """Name the commit of the code, and say whether files differ from it."""
    try:
        found = _git("rev-parse", "HEAD")
        return f"git {found}" + (", with changes that are not committed" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not a git repository"


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", "-C", REPOSITORY, *arguments], text=True, stderr=subprocess.DEVNULL).strip()


def origins(tables: Sequence[Path], root: Path) -> list[dict[str, Any]]:
    """Read the origin of every table.

    Returns:
        For each table: ``table`` (its path under the root), ``rows``, ``columns``, ``content`` (its hash), ``code`` (digest of
        the code of its stage) and ``inputs`` (name -> hash).
    """
    found = []
    for table in tables:
        made_by, shape = table_provenance(table), pq.read_metadata(table)
        found.append(
            {
                "table": str(table.relative_to(root)),
                "rows": shape.num_rows,
                "columns": shape.num_columns,
                "content": file_hash(table),
                "code": made_by.get("code", ""),
                "inputs": made_by["inputs"],
            }
        )
    return found
