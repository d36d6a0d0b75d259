"""The store of tokens: unprojected activations of committed layers, and the mean token of every candidate layer.

The store is read by rows, because training visits stimuli in random order. The rows of a block are consecutive in the file, and
the file is mapped into memory. Reading 256 rows with zarr would take a quarter of a second, which is a hundred times as long.
"""

import hashlib
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cortexscale.arrays import mapped
from cortexscale.errors import InputError
from cortexscale.features.blocks import COLUMNS
from cortexscale.features.coding import CodedArray
from cortexscale.features.extract import ForwardPasses, layer_places
from cortexscale.features.store import Store, StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.kernels.gram import GramMatrix, gram
from cortexscale.models.layers import Layer, output_shapes
from cortexscale.readouts.tokens import Tokens, as_tokens, pooled_layers, token_shape

POOLED = "pooled"
"""Name of the mean tokens of all candidate layers, which a layer gate reads."""


def extract_tokens(
    passes: ForwardPasses,
    layers: Sequence[Layer],
    committed: Sequence[str],
    path: Path | str,
    *,
    rows: np.ndarray,
    made_by: dict[str, Any],
) -> None:
    """Write the tokens of the ``committed`` layers and the mean token of each candidate layer.

    ``rows`` are rows of the stimulus table, and ``layers`` are all candidate layers. An interrupted run continues after its last
    complete block of rows.
    """
    inputs, names = passes.inputs(rows), [layer.name for layer in layers]
    identity = passes.identity | {"layers": names, "images": hashlib.blake2b(rows.tobytes(), digest_size=16).hexdigest()}
    image = inputs[0].to(best_device())
    found = output_shapes(passes.backbone, names, image)
    shapes = {name: token_shape(shape, image.shape, f"layer {name}") for name, shape in found.items()}
    writer = TokenWriter(path, identity, rows, shapes, committed)
    passes.write(names, inputs, writer)
    kept = {name: list(shapes[name]) for name in committed}
    kept[POOLED] = [len(layers), max(writer.widths)]
    writer.finish({"layers": layer_places(layers), "shapes": kept, "pooled_widths": writer.widths, "made_by": made_by})


class TokenWriter(StoreWriter):
    """A writer of flattened activations. A chunk is a block of complete rows.

    All tokens of ``committed`` layers are kept, and the mean token of every layer. ``shapes`` has the shape of each layer's
    output for one image.
    """

    chunk_columns = sys.maxsize

    def __init__(
        self,
        path: Path | str,
        identity: dict[str, Any],
        rows: np.ndarray,
        shapes: Mapping[str, tuple[int, ...]],
        committed: Sequence[str],
    ):
        super().__init__(path, identity | {"committed": list(committed)}, len(rows), rows)
        self.shapes, self.committed = shapes, committed
        self.widths = [as_tokens(np.empty((1, *shape))).shape[2] for shape in shapes.values()]
        """Number of channels of every candidate layer."""
        if "images" not in self.store:
            self.store.create("images", rows.shape, rows.shape, "i8")
            self.store.write("images", (0,), rows, rows.shape)

    def write(self, features: dict[str, np.ndarray]) -> None:
        pooled = pooled_layers([as_tokens(features[name].reshape(-1, *shape)) for name, shape in self.shapes.items()])
        super().write({**{name: features[name] for name in self.committed}, POOLED: pooled.reshape(len(pooled), -1)})


class TokenStore(Store):
    """A store of the tokens of all images that have recorded responses."""

    def __init__(self, path: Path | str):
        super().__init__(path)
        self._images = pd.Index(np.asarray(self.array("images")[:]))
        with zipfile.ZipFile(self.path) as archive, self.path.open("rb") as file:
            self._starts = {entry.filename: _start(file, entry) for entry in archive.infolist()}

    def tokens(self, layer: str) -> "StoredTokens":
        """Return the tokens of a committed layer. ``POOLED`` has one token per candidate layer, in the order of ``layers``."""
        if layer not in self.attributes["shapes"]:
            known = ", ".join(self.attributes["shapes"])
            raise InputError(self.path, f"tokens of layers {known}", f"layer {layer}", "delete the store and run again")
        return StoredTokens(self, layer)

    def read(self, layer: str, rows: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Read float32 activations (len(rows), columns) of rows in any order. A missing row raises an InputError."""
        places = self._images.get_indexer(pd.Index(rows))
        if (places < 0).any():
            found = f"no tokens of {(places < 0).sum()} of {len(rows)} images"
            expected = "tokens of all images with recorded responses"
            raise InputError(self.path, found, expected, "the recordings changed since it was made: delete it and run again")
        block, within = np.divmod(places, self.array(layer).chunks[0])
        out = np.empty((len(rows), len(range(*columns.indices(self.width(layer))))), dtype=np.float16)
        for number in np.unique(block):
            inside = block == number
            out[inside] = self._block(layer, int(number))[within[inside], columns]
        return self._features(layer).coding.decoded(out, columns)

    @cache  # noqa: B019 (a store lives as long as its job)
    def _features(self, layer: str) -> CodedArray:
        return CodedArray(self._group, layer)

    @cache  # noqa: B019 (a store lives as long as its job)
    def _block(self, layer: str, number: int) -> np.ndarray:
        """Map a chunk of the file into memory."""
        return mapped(self.path, np.float16, self._starts[f"{layer}/c/{number}/0"], self.array(layer).chunks)

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        return gram(self.slabs(layer, images), dtype=dtype, device=device)

    def slabs(self, layer: str, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the flattened activations of ``rows`` in slabs (len(rows), <= COLUMNS)."""
        for start in range(0, self.width(layer), COLUMNS):
            yield self.read(layer, rows, slice(start, start + COLUMNS))


class StoredTokens(Tokens):
    """Tokens of one layer in a :class:`TokenStore`."""

    def __init__(self, store: TokenStore, layer: str):
        self._store, self._layer, self._shape = store, layer, store.attributes["shapes"][layer]
        n_tokens, width = as_tokens(np.empty((1, *self._shape))).shape[1:]
        self.widths = tuple(store.attributes["pooled_widths"]) if layer == POOLED else (width,) * n_tokens

    def read(self, rows: np.ndarray) -> np.ndarray:
        return as_tokens(self._store.read(self._layer, rows).reshape(len(rows), *self._shape))


def _start(file: Any, entry: zipfile.ZipInfo) -> int:
    """Find where the content of an uncompressed entry begins, after its header of 30 bytes, its name and its extra field."""
    file.seek(entry.header_offset + 26)
    return entry.header_offset + 30 + sum(np.frombuffer(file.read(4), "<u2").tolist())
