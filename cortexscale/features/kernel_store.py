"""The store of exact kernels. It has the Gram matrix of all activations for each layer and set of images.

The lower triangle is stored in float32, which takes 2 n^2 bytes for n images. If a layer has at most n activations, the
activations are stored instead. The Gram matrix of such a layer would be singular, so the rounding of float32 would matter at
small penalties.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from cortexscale.features.blocks import COLUMNS
from cortexscale.features.coding import CodedArray
from cortexscale.features.image_sets import in_reading_order
from cortexscale.features.store import FeatureStore, Store
from cortexscale.features.unfinished_store import UnfinishedStore
from cortexscale.kernels.device import best_device, working_precision
from cortexscale.kernels.gram import GramMatrix, gram, mirror

BLOCK = 1024
"""Largest number of rows, and of columns, in one chunk of a stored Gram matrix."""


class KernelWriter:
    """A writer of kernels, layer by layer. Complete layers of an earlier run are kept if that run had the same ``identity``.

    Each array in ``sets`` has the images (rows of the stimulus table) of one kernel. ``images`` has the images of all sets, in
    the order in which :meth:`add` expects their activations.
    """

    def __init__(self, path: Path | str, identity: dict[str, Any], sets: Sequence[np.ndarray]) -> None:
        self.images = in_reading_order(sets)
        self._rows = [np.flatnonzero(np.isin(self.images, images)) for images in sets]
        images = [self.images[rows].tolist() for rows in self._rows]
        self._store = UnfinishedStore(Path(path), {"identity": identity, "images": images})

    def __contains__(self, layer: str) -> bool:
        return f"kernels/{layer}" in self._store

    def add(self, layer: str, activations: CodedArray) -> None:
        """Compute and write the kernels of a layer from its activations (images, width), in the order of ``images``.

        Memory holds one kernel and one slab of columns. Products are computed in float64 on devices where float64 is fast.
        """
        for number, rows in enumerate(self._rows):
            name = f"kernels/{layer}/{number}"
            n, width = len(rows), activations.shape[1]
            if width <= n:
                chunks = n, min(COLUMNS, width)
                self._store.create(f"{name}/activations", (n, width), chunks, "f2")
                activations.coding.write(self._store, f"{name}/activations")
                for column, slab in enumerate(activations.slabs(rows)):
                    columns = slice(column * COLUMNS, (column + 1) * COLUMNS)
                    self._store.write(f"{name}/activations", (0, column), activations.coding.encoded(slab, columns), chunks)
            else:
                device = best_device()
                self._write_gram(name, gram(activations.slabs(rows), working_precision(device), device))
        self._store.mark_complete()

    def _write_gram(self, name: str, matrix: GramMatrix) -> None:
        n = len(matrix.K)
        block = -(-n // -(-n // BLOCK))
        self._store.create(f"{name}/K", (n, n), (block, block), "f4", width=matrix.width)
        for row, start in enumerate(range(0, n, block)):
            rows = matrix.K[start : start + block].float().cpu().numpy()
            for column in range(row + 1):  # chunks above the diagonal are not written, and need no space
                chunk = rows[:, column * block : (column + 1) * block]
                self._store.write(f"{name}/K", (row, column), chunk, (block, block))
        for kind in ("row_sums", "mean_products"):
            values = getattr(matrix, kind).cpu().numpy()
            self._store.create(f"{name}/{kind}", values.shape, values.shape, values.dtype.str)
            self._store.write(f"{name}/{kind}", (0,) * values.ndim, values, values.shape)

    def finish(self, attributes: dict[str, Any]) -> None:
        """Give the file its final name. ``attributes`` describe the layers and the provenance."""
        self._store.finish(attributes)


class KernelStore(Store):
    """Exact kernels of a model for the images that recordings need."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._images = [np.array(images) for images in self.attributes["images"]]

    def _image_sets(self, wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
        return self._images

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        name = f"kernels/{layer}/{number}"
        if f"{name}/activations" in self._group:
            return gram(CodedArray(self._group, f"{name}/activations").slabs(), dtype=dtype, device=device)
        stored, n = self.array(f"{name}/K"), len(images)
        K = torch.empty(n, n, dtype=dtype, device=device)
        block = stored.chunks[0]
        for start in range(0, n, block):
            stop = min(start + block, n)
            K[start:stop, :stop] = torch.from_numpy(stored[start:stop, :stop]).to(device)
        mirror(K)
        row_sums, mean_products = (
            torch.from_numpy(self.array(f"{name}/{kind}")[:]).to(device) for kind in ("row_sums", "mean_products")
        )
        return GramMatrix(K, cast(int, stored.attrs["width"]), row_sums, mean_products)


def open_store(path: Path | str) -> Store:
    """Open a store of features or of exact kernels."""
    kind = KernelStore if "images" in Store(path).attributes else FeatureStore
    return kind(path)
