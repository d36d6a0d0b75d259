"""Finished parts of a long job, which are tables in a folder beside its result. A restarted job continues after these parts."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cortexscale.files import write_text
from cortexscale.listing import files_in
from cortexscale.stores import read_table, write_table


class Parts:
    """A folder of finished parts.

    Parts of an earlier run are kept if that run had the same ``made_of``, and are deleted otherwise.
    """

    def __init__(self, folder: Path, made_of: Mapping[str, Any]):
        self.folder, self._made_of = folder, json.dumps(made_of, sort_keys=True, default=str)
        marker = folder / "made_of.json"
        if not marker.exists() or marker.read_text(encoding="utf-8") != self._made_of:
            shutil.rmtree(folder, ignore_errors=True)
            write_text(marker, self._made_of)

    def __contains__(self, name: str) -> bool:
        return (self.folder / name).exists()

    def tables(self, name: str, make: Callable[[], dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
        """Return the tables of a part: kind -> table. If the folder does not have these tables, ``make`` makes them."""
        folder = self.folder / name
        if name not in self:
            unfinished = folder.with_name(f".{name}")
            for kind, table in make().items():
                write_table(table, unfinished / f"{kind}.parquet", {})
            unfinished.rename(folder)
        return {file.stem: read_table(file) for file in files_in(folder, "*.parquet")}

    def remove(self) -> None:
        shutil.rmtree(self.folder)
