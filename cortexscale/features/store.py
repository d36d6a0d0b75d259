"""The feature store: one file per model and stimulus set, one float16 array per layer.

While it is written the store is a folder, ``.<name>.part``, that a second run continues; when the last row is
in, the folder is packed into one uncompressed zip. So a cluster sees one file with a real size and time, an
interrupted write is never taken for complete, and column slabs are read without touching the rest of a layer
(``benchmarks/store.py`` has the layouts that were compared).
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import ZipStore

from cortexscale.errors import InputError
from cortexscale.files import whole_file

ROWS, COLUMNS = 256, 2048
"""Chunk of a layer: rows are written, columns are read."""


class StoreWriter:
    """Writes the rows of all layers of a store in order, resuming where an earlier run stopped.

    Args:
        path: the finished file, ``.zarr.zip``.
        identity: what makes these features these features (weights, transform, stimuli, layers, projection);
            rows of an earlier run are continued only if theirs is equal.
        n_rows: stimuli.
    """

    def __init__(self, path: Path | str, identity: dict[str, Any], n_rows: int):
        self.path, self.n_rows = Path(path), n_rows
        self.folder = self.path.with_name(f".{self.path.name}.part")
        self.identity = json.loads(json.dumps(identity))
        self._progress = self.folder / "rows_written"
        if not self._can_resume():
            shutil.rmtree(self.folder, ignore_errors=True)
            zarr.create_group(self.folder, attributes={"identity": self.identity, "n_rows": n_rows})
        self.group = zarr.open_group(self.folder, mode="r+")
        self.rows_written = int(self._progress.read_text()) if self._progress.exists() else 0
        self._waiting: list[dict[str, np.ndarray]] = []

    def _can_resume(self) -> bool:
        try:
            found = zarr.open_group(self.folder, mode="r").attrs
            return found["identity"] == self.identity and found["n_rows"] == self.n_rows
        except (FileNotFoundError, KeyError, ValueError):
            return False

    def write(self, features: dict[str, np.ndarray]) -> None:
        """Append rows, given as one (rows, width) float array per layer.

        Raises:
            InputError: a value is not finite as float16; names the model, layer and row.
        """
        stored = {layer: self._as_stored(layer, rows) for layer, rows in features.items()}
        self._waiting.append(stored)
        if self._n_waiting >= ROWS:
            self._flush(ROWS)

    @property
    def _n_waiting(self) -> int:
        return sum(len(next(iter(batch.values()))) for batch in self._waiting)

    def _as_stored(self, layer: str, rows: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = rows.astype(np.float16)
        bad = ~np.isfinite(stored).all(axis=1)
        if bad.any():
            row = self.rows_written + self._n_waiting + int(np.flatnonzero(bad)[0])
            raise InputError(
                f"features of model {self.identity.get('model')}, layer {layer}, stimulus row {row}",
                f"a non-finite value (largest magnitude before storing: {np.abs(rows).max():.3g})",
                "finite activations within the range of float16 (65,504)",
                "check the weights of this model, or leave this layer out of `layers`",
            )
        return stored

    def _flush(self, block: int) -> None:
        """Write all whole blocks of waiting rows, then note how far the store is complete."""
        whole = self._n_waiting // block * block
        rest = {}
        for layer in self._waiting[0] if self._waiting else ():
            rows = np.concatenate([batch[layer] for batch in self._waiting])
            if layer not in self.group:
                shape, chunks = (self.n_rows, rows.shape[1]), (ROWS, min(COLUMNS, rows.shape[1]))
                self.group.create_array(layer, shape=shape, dtype="f2", chunks=chunks, compressors=None)
            self.group[layer][self.rows_written : self.rows_written + whole] = rows[:whole]
            rest[layer] = rows[whole:]
        self._waiting = [rest] if rest else []
        self.rows_written += whole
        with whole_file(self._progress) as part:
            part.write_text(str(self.rows_written))

    def finish(self, attributes: dict[str, Any]) -> None:
        """Pack the folder into the finished file. ``attributes`` describe the layers and what made the store."""
        self._flush(1)
        if self.rows_written != self.n_rows:
            raise ValueError(f"{self.rows_written} of {self.n_rows} rows were written")
        self.group.attrs.update(attributes)
        with whole_file(self.path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(self.folder.rglob("*")):
                if file.is_file() and file != self._progress:
                    archive.write(file, file.relative_to(self.folder))
        shutil.rmtree(self.folder)


class FeatureStore:
    """Reads a finished store."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        try:
            self._group = zarr.open_group(ZipStore(self.path, mode="r"), mode="r")
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(
                path, f"not a readable feature store ({error})", "a .zarr.zip store", "delete it and run again"
            ) from None
        self.attributes: dict[str, Any] = dict(self._group.attrs)
        self.layers: dict[str, dict[str, Any]] = self.attributes["layers"]
        self.n_rows: int = self.attributes["n_rows"]

    def width(self, layer: str) -> int:
        return self._group[layer].shape[1]

    def slabs(self, layer: str, columns: int = 2 * COLUMNS) -> Iterator[np.ndarray]:
        """All rows of a layer in slabs of columns, (n_rows, <= columns) float16 each.

        Raises:
            InputError: the store has no such layer.
        """
        if layer not in self._group:
            raise InputError(self.path, f"layers {', '.join(self.layers)}", f"layer {layer}", "delete the store and run again")
        array = self._group[layer]
        for start in range(0, array.shape[1], columns):
            yield array[:, start : start + columns]
