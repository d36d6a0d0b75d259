"""The feature store: one file per model and stimulus set, with one float16 array per layer.

The file grows by blocks of rows (:mod:`~cortexscale.features.unfinished_store`), and the blocks of an interrupted run are kept. A
slab of columns can be read without the rest of its layer. ``benchmarks/store.py`` compares this layout with others.
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
from cortexscale.features.blocks import COLUMNS, ROWS
from cortexscale.features.image_sets import image_sets, places, runs
from cortexscale.features.unfinished_store import UnfinishedStore
from cortexscale.kernels.gram import GramMatrix, gram

SLAB = 2 * COLUMNS
"""Number of columns that are read at a time."""
_EXPONENT = np.uint16(0x7C00)
"""Exponent bits of a float16. All of them are set in infinity and NaN, and in no finite number."""


class StoreWriter:
    """A writer that appends rows of all layers to a store, in order.

    ``identity`` has everything on which the features depend: weights, transform, stimuli, layers and projection. An earlier run
    is continued only if it had the same identity. ``rows_written`` is the number of complete rows. For each row of the store,
    ``stimuli`` has the row of the stimulus table. Error messages name this row.
    """

    chunk_columns = COLUMNS

    def __init__(
        self, path: Path | str, identity: dict[str, Any], n_rows: int, stimuli: Sequence[int] | np.ndarray | None = None
    ) -> None:
        self.identity, self.n_rows = identity, n_rows
        self.stimuli = range(n_rows) if stimuli is None else stimuli
        self.store = UnfinishedStore(Path(path), {"identity": identity, "n_rows": n_rows})
        self.rows_written: int = self.store.done or 0
        self._waiting: list[dict[str, np.ndarray]] = []

    def write(self, features: dict[str, np.ndarray]) -> None:
        """Append features (rows, width) of every layer.

        The arrays must not change afterwards. A value that is not finite raises an InputError.
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
            row = int(self.stimuli[self.rows_written + self._n_waiting + bad])
            n_nan = int(np.isnan(stored[bad]).sum())
            n_infinite = int(np.isinf(stored[bad]).sum())
            where = f"features of model {self.identity.get('model')}, layer {layer}, stimulus row {row}"
            found = f"non-finite values: {n_nan} NaN, {n_infinite} infinite or too large, of {stored.shape[1]}"
            expected = "finite activations within the range of float16 (65,504)"
            cure = "check the weights of this model" if n_nan else "let the module divide its output by a constant, such as 1e4"
            raise InputError(where, found, expected, f"{cure}, or leave this layer out of `layers`")
        return stored

    def _flush(self, n: int) -> None:
        """Write the first ``n`` waiting rows, and record that they are complete.

        These rows are whole blocks, or the last rows of the store.
        """
        first, height = self.rows_written // ROWS, min(ROWS, self.n_rows)
        for layer in self._waiting[0] if n else ():
            batches = [batch[layer] for batch in self._waiting]
            width = batches[0].shape[1]
            chunks = height, min(self.chunk_columns, width)
            if layer not in self.store:
                self.store.create(layer, (self.n_rows, width), chunks, "f2")
            for column, start in enumerate(range(0, width, chunks[1])):
                slab = np.concatenate([batch[:, start : start + chunks[1]] for batch in batches])[:n]
                for number in range(-(-n // height)):
                    rows = slab[number * height : (number + 1) * height]
                    self.store.write(layer, (first + number, column), rows, chunks)
        rest = self._n_waiting - n
        # Rows after the last complete block belong to the last batch. They are copied, because a view would keep the whole batch
        # in memory.
        self._waiting = [{layer: rows[-rest:].copy() for layer, rows in self._waiting[-1].items()}] if rest else []
        self.rows_written += n
        self.store.mark_complete(self.rows_written)

    def finish(self, attributes: dict[str, Any]) -> None:
        """Give the complete file its final name. If rows are missing, raise a ValueError."""
        self._flush(self._n_waiting)
        if self.rows_written != self.n_rows:
            raise ValueError(f"{self.rows_written} of {self.n_rows} rows were written")
        self.store.finish(attributes)


class Store:
    """A finished store of features or of exact kernels. A file that is not a readable store raises an InputError."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._group = zarr.open_group(ZipStore(self.path, mode="r"), mode="r")
        except (OSError, zipfile.BadZipFile) as error:
            found = f"not a readable feature store ({error})"
            raise InputError(path, found, "a .zarr.zip store", "delete it and run again") from None
        self.attributes: dict[str, Any] = dict(self._group.attrs)
        self.layers: dict[str, dict[str, Any]] = self.attributes["layers"]

    def kernels(self, layer: str, wanted: Sequence[np.ndarray], dtype: torch.dtype, device: torch.device) -> Iterator[GramMatrix]:
        """Yield a Gram matrix of a layer for each array in ``wanted``. An array has rows of the stimulus table.

        Several arrays can be parts of one larger Gram matrix (:func:`~cortexscale.features.image_sets.image_sets`). The features
        of such a matrix are centred by their mean over all images of the matrix. If the images of an array are consecutive in the
        matrix, a view is returned, otherwise a copy. A layer or image that the store does not have raises an InputError.
        """
        if layer not in self.layers:
            raise self._without(layer)
        sets = self._image_sets(wanted)
        present: int | None = None
        matrix: GramMatrix | None = None
        for rows in wanted:
            found = ((number, places(rows, images)) for number, images in enumerate(sets))
            number, place = next(((number, place) for number, place in found if place is not None), (None, None))
            if number is None or place is None:
                found = f"no kernel that holds all {len(rows)} images of a recording"
                expected = "kernels of the images of these recordings"
                raise InputError(self.path, found, expected, "the recordings changed since it was made: delete it and run again")
            if matrix is None or number != present:
                matrix = None  # frees the memory of this matrix before the next one is made
                matrix, present = self._gram(layer, number, sets[number], dtype, device), number
            yield matrix.subset(place)

    def width(self, layer: str) -> int:
        """Return the number of features of a layer."""
        return self.array(layer).shape[1]

    def _without(self, layer: str) -> InputError:
        return InputError(self.path, f"layers {', '.join(self.layers)}", f"layer {layer}", "delete the store and run again")

    def array(self, name: str) -> zarr.Array[Any]:
        """Return an array of the file, such as the features of a layer, (n_rows, width) float16."""
        array = self._group[name]
        assert isinstance(array, zarr.Array), f"{name} is a group of arrays"
        return array

    def _image_sets(self, wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the sets of images. Each set has one Gram matrix."""
        return image_sets(wanted)

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        """Return the Gram matrix of set ``number``. ``images`` has the rows of the stimulus table in this set."""
        raise NotImplementedError


class FeatureStore(Store):
    """Features of all ``n_rows`` images of a stimulus set."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self.n_rows: int = self.attributes["n_rows"]

    def slabs(self, layer: str, columns: int = SLAB) -> Iterator[np.ndarray]:
        """Yield the features of a layer in float16 slabs (n_rows, <= columns)."""
        if layer not in self._group:
            raise self._without(layer)
        return column_slabs(self.array(layer), columns=columns)

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        return gram((slab[images] for slab in self.slabs(layer)), dtype=dtype, device=device)


def column_slabs(array: zarr.Array[Any], rows: np.ndarray | None = None, columns: int = SLAB) -> Iterator[np.ndarray]:
    """Yield features in slabs (rows, <= columns), for all rows or for some rows in ascending order."""
    stretches = [slice(None)] if rows is None else runs(rows)
    for start in range(0, array.shape[1], columns):
        parts = [np.asarray(array[stretch, start : start + columns]) for stretch in stretches]
        yield parts[0] if len(parts) == 1 else np.concatenate(parts)
