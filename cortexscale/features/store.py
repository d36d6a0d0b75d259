"""The feature store: one file per model and stimulus set, one float16 array per layer.

It grows by blocks of rows (:mod:`~cortexscale.features.part`), and those that an interrupted run left are kept. Column slabs
are read without touching the rest of a layer (``benchmarks/store.py`` has the layouts that were compared).
"""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from zarr.storage import ZipStore

from cortexscale.errors import InputError
from cortexscale.features.image_sets import image_sets, places, runs
from cortexscale.features.part import Part
from cortexscale.kernels.gram import GramMatrix, gram

ROWS, COLUMNS = 256, 2048
"""Chunk of a layer: rows are written, columns are read."""
SLAB = 2 * COLUMNS
"""Columns that are read at a time."""
_EXPONENT = np.uint16(0x7C00)
"""Bits of a float16, all of which are set in infinity and NaN."""


class StoreWriter:
    """Writes the rows of all layers of a store in order, resuming where an earlier run stopped.

    Args:
        path: the finished file, ``.zarr.zip``.
        identity: what makes these features these features (weights, transform, stimuli, layers, projection);
            rows of an earlier run are continued only if theirs is equal.
        n_rows: stimuli.
        stimuli: rows of the stimulus table that they are, for messages; by default the first ones.
    """

    def __init__(self, path: Path | str, identity: dict[str, Any], n_rows: int, stimuli: Sequence[int] | None = None):
        self.identity, self.n_rows = identity, n_rows
        self.stimuli = range(n_rows) if stimuli is None else stimuli
        self.part = Part(Path(path), {"identity": identity, "n_rows": n_rows})
        self.rows_written: int = self.part.done or 0
        self._waiting: list[dict[str, np.ndarray]] = []

    def write(self, features: dict[str, np.ndarray]) -> None:
        """Append rows, given as one (rows, width) float array per layer, which is theirs from now on.

        Raises:
            InputError: a value is not finite as float16; names the model, layer and row.
        """
        stored = {layer: self._as_stored(layer, rows) for layer, rows in features.items()}
        self._waiting.append(stored)
        if self._n_waiting >= ROWS:
            self._flush(self._n_waiting // ROWS * ROWS)

    @property
    def _n_waiting(self) -> int:
        return sum(len(next(iter(batch.values()))) for batch in self._waiting)

    def _as_stored(self, layer: str, rows: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            stored = rows.astype(np.float16, copy=False)
        if (stored.view(np.uint16) & _EXPONENT).max() == _EXPONENT:  # four times as fast as isfinite
            bad = int(np.flatnonzero(~np.isfinite(stored).all(axis=1))[0])
            row, n_nan = self.stimuli[self.rows_written + self._n_waiting + bad], int(np.isnan(stored[bad]).sum())
            n_infinite = int(np.isinf(stored[bad]).sum())
            raise InputError(
                f"features of model {self.identity.get('model')}, layer {layer}, stimulus row {row}",
                f"non-finite values: {n_nan} NaN, {n_infinite} infinite or too large, of {stored.shape[1]}",
                "finite activations within the range of float16 (65,504)",
                "check the weights of this model, or leave this layer out of `layers`",
            )
        return stored

    def _flush(self, n: int) -> None:
        """Write the first ``n`` waiting rows, whole blocks or the last ones, then note how far the store is complete."""
        first, height = self.rows_written // ROWS, min(ROWS, self.n_rows)
        for layer in self._waiting[0] if n else ():
            batches = [batch[layer] for batch in self._waiting]
            width = batches[0].shape[1]
            chunks = height, self._columns(width)
            if layer not in self.part:
                self.part.create(layer, (self.n_rows, width), chunks, "f2")
            for column, start in enumerate(range(0, width, chunks[1])):
                slab = np.concatenate([batch[:, start : start + chunks[1]] for batch in batches])[:n]
                for number in range(-(-n // height)):
                    rows = slab[number * height : (number + 1) * height]
                    self.part.write(layer, (first + number, column), rows, chunks)
        rest = self._n_waiting - n
        # Rows beyond a block are of the last batch. A view would hold all of it.
        self._waiting = [{layer: rows[-rest:].copy() for layer, rows in self._waiting[-1].items()}] if rest else []
        self.rows_written += n
        self.part.note(self.rows_written)

    def _columns(self, width: int) -> int:
        """Columns of a chunk of a layer."""
        return min(COLUMNS, width)

    def finish(self, attributes: dict[str, Any]) -> None:
        """Write the rows that wait, and give the file its name. ``attributes`` describe the layers and what made the store.

        Raises:
            ValueError: there are fewer than ``n_rows``.
        """
        self._flush(self._n_waiting)
        if self.rows_written != self.n_rows:
            raise ValueError(f"{self.rows_written} of {self.n_rows} rows were written")
        self.part.finish(attributes)


class Store:
    """A finished store: whatever alignment needs to know of the layers of a model."""

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

    def kernels(self, layer: str, wanted: Sequence[np.ndarray], dtype: torch.dtype, device: torch.device) -> Iterator[GramMatrix]:
        """Gram matrices of a layer between the images ``wanted`` (rows of the stimulus table), one per entry.

        Entries that share a Gram matrix (:func:`~cortexscale.features.image_sets.image_sets`) are cut out of it, as views
        where their images follow each other there; each may be centred by the mean of all.

        Raises:
            InputError: the store has no such layer or image.
        """
        if layer not in self.layers:
            raise InputError(self.path, f"layers {', '.join(self.layers)}", f"layer {layer}", "delete the store and run again")
        sets, present, matrix = self._image_sets(wanted), None, None
        for rows in wanted:
            found = ((number, places(rows, images)) for number, images in enumerate(sets))
            number, place = next(((number, place) for number, place in found if place is not None), (None, None))
            if number is None:
                raise InputError(
                    self.path,
                    f"no kernel that holds all {len(rows)} images that a recording shows",
                    "kernels of the images of these recordings",
                    "the recordings changed since it was made: delete it and run again",
                )
            if number != present:
                matrix = None  # its memory, before the next one is made
                matrix, present = self._gram(layer, number, sets[number], dtype, device), number
            yield matrix.subset(place)

    def _image_sets(self, wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
        raise NotImplementedError

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        """The Gram matrix of one of the image sets."""
        raise NotImplementedError


class FeatureStore(Store):
    """Features of every image of a stimulus set."""

    def __init__(self, path: Path | str):
        super().__init__(path)
        self.n_rows: int = self.attributes["n_rows"]

    def array(self, layer: str) -> zarr.Array:
        """Features of a layer, (n_rows, width) float16."""
        return self._group[layer]

    def width(self, layer: str) -> int:
        return self._group[layer].shape[1]

    def slabs(self, layer: str, columns: int = SLAB) -> Iterator[np.ndarray]:
        """All rows of a layer in slabs of columns, (n_rows, <= columns) float16 each.

        Raises:
            InputError: the store has no such layer.
        """
        if layer not in self._group:
            raise InputError(self.path, f"layers {', '.join(self.layers)}", f"layer {layer}", "delete the store and run again")
        return column_slabs(self._group[layer], columns=columns)

    def _image_sets(self, wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
        return image_sets(wanted)

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        return gram((slab[images] for slab in self.slabs(layer)), dtype=dtype, device=device)


def column_slabs(array: zarr.Array, rows: np.ndarray | None = None, columns: int = SLAB) -> Iterator[np.ndarray]:
    """Features in slabs of columns, (rows, <= columns) each: all rows, or some in ascending order."""
    stretches = [slice(None)] if rows is None else runs(rows)
    for start in range(0, array.shape[1], columns):
        parts = [array[stretch, start : start + columns] for stretch in stretches]
        yield parts[0] if len(parts) == 1 else np.concatenate(parts)
