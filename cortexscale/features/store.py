"""The feature store: one file per model and stimulus set, with one array per layer (:mod:`~cortexscale.features.coding`).

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
from cortexscale.features.coding import FIRST, CodedArray, Coding
from cortexscale.features.image_sets import image_sets, places
from cortexscale.features.unfinished_store import FORMAT, UnfinishedStore
from cortexscale.kernels.gram import GramMatrix, gram

_EXPONENT = np.uint16(0x7C00)
"""Exponent bits of a float16. All of them are set in infinity and NaN, and in no finite number."""


class StoreWriter:
    """A writer that appends rows of all layers to a store, in order.

    ``identity`` has everything on which the features depend: weights, transform, stimuli, layers and projection. An earlier run
    is continued only if it had the same identity. ``rows_written`` is the number of complete rows. ``stimuli`` has a row number
    of the stimulus table for each row of the store. Error messages give this number.
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
        self._first: list[dict[str, np.ndarray]] = []  # the rows that decide the codings, until there are enough of them
        self._codings: dict[str, Coding] = {}

    def write(self, features: dict[str, np.ndarray]) -> None:
        """Append features (rows, width) of every layer.

        The arrays must not change afterwards. A value that is not finite raises an InputError.
        """
        if not self._codings and self.rows_written:
            self._codings = {layer: Coding.of_earlier_run(self.store, layer) for layer in features}
        if not self._codings:
            self._first.append(features)
            features = {layer: np.concatenate([batch[layer] for batch in self._first]) for layer in features}
            if len(next(iter(features.values()))) < min(FIRST, self.n_rows):
                return
            self._first = []
            self._codings = {layer: Coding.of(rows) for layer, rows in features.items()}
        self._waiting.append({layer: self._as_stored(layer, rows) for layer, rows in features.items()})
        if self._n_waiting >= ROWS:
            self._flush(self._n_waiting // ROWS * ROWS)

    @property
    def _n_waiting(self) -> int:
        return sum(len(next(iter(batch.values()))) for batch in self._waiting)

    def _as_stored(self, layer: str, rows: np.ndarray) -> np.ndarray:
        stored = self._codings[layer].encoded(rows)
        if (stored.view(np.uint16) & _EXPONENT).max() == _EXPONENT:  # four times as fast as isfinite
            bad = int(np.flatnonzero(~np.isfinite(stored).all(axis=1))[0])
            row = int(self.stimuli[self.rows_written + self._n_waiting + bad])
            n_nan, n_infinite = (int(test(rows[bad]).sum()) for test in (np.isnan, np.isinf))
            n_large = int((~np.isfinite(stored[bad])).sum()) - n_nan - n_infinite
            where = f"features of model {self.identity.get('model')}, layer {layer}, stimulus row {row}"
            found = f"non-finite values: {n_nan} NaN, {n_infinite} infinite, {n_large} too large, of {stored.shape[1]}"
            expected = f"finite features that are at most 4,000 times as large as the largest of most of the first {FIRST} images"
            cure = "leave this layer out of `layers`"
            if n_nan or n_infinite:
                cure = f"check the weights of this model, set `features.precision: float32`, or {cure}"
            raise InputError(where, found, expected, cure)
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
                self._codings[layer].write(self.store, layer)
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
        if self.attributes.get("format") != FORMAT:
            found = f"a store of the format {self.attributes.get('format', 'float16')}"
            raise InputError(self.path, found, FORMAT, "another version of this code made it: delete it and run again")
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
        """Return an array of the file as it is stored."""
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

    def features(self, layer: str) -> CodedArray:
        """Return the features of a layer, (n_rows, width)."""
        if layer not in self._group:
            raise self._without(layer)
        return CodedArray(self._group, layer)

    def slabs(self, layer: str, columns: int = COLUMNS) -> Iterator[np.ndarray]:
        """Yield a layer in float32 slabs (n_rows, <= columns)."""
        return self.features(layer).slabs(columns=columns)

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        return gram((slab[images] for slab in self.slabs(layer)), dtype=dtype, device=device)
