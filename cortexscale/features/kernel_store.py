"""The store of exact kernels: per layer and set of images the Gram matrix of all its activations, none projected away.

Kept is the lower triangle in float32, 2 n^2 bytes for n images. A layer that is not wider than n has a singular Gram matrix,
where the rounding of float32 would count at small penalties; its activations are fewer, and are kept instead.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from cortexscale.features.image_sets import in_reading_order
from cortexscale.features.part import Part
from cortexscale.features.store import COLUMNS, FeatureStore, Store, column_slabs
from cortexscale.kernels.device import best_device, working_precision
from cortexscale.kernels.gram import GramMatrix, gram, mirror

BLOCK = 1024
"""Most rows and columns of a Gram matrix that are written and read as one chunk."""


class KernelWriter:
    """Writes the kernels of a store layer by layer, resuming after the last complete one of an earlier run.

    Args:
        path: the finished file, ``.zarr.zip``.
        identity: what makes these kernels these kernels; those of an earlier run are kept only if theirs is equal.
        sets: images (rows of the stimulus table) that have a kernel together.

    Attributes:
        images: those of all sets, in the order in which their activations are to be given.
    """

    def __init__(self, path: Path | str, identity: dict[str, Any], sets: Sequence[np.ndarray]):
        self.images = in_reading_order(sets)
        self._rows = [np.flatnonzero(np.isin(self.images, images)) for images in sets]
        images = [self.images[rows].tolist() for rows in self._rows]
        self._part = Part(Path(path), {"identity": identity, "images": images})

    def __contains__(self, layer: str) -> bool:
        return f"kernels/{layer}" in self._part

    def add(self, layer: str, activations: zarr.Array) -> None:
        """Make the kernels of a layer from the activations (images, width) float16 of all its images.

        Holds one kernel and one slab of columns. Products are float64 where the device is fast at it.
        """
        for number, rows in enumerate(self._rows):
            name = f"kernels/{layer}/{number}"
            if activations.shape[1] <= len(rows):
                self._keep(name, column_slabs(activations, rows, COLUMNS), (len(rows), activations.shape[1]))
            else:
                device = best_device()
                self._keep_gram(name, gram(column_slabs(activations, rows), working_precision(device), device))
        self._part.note()

    def _keep(self, name: str, slabs: Iterable[np.ndarray], shape: tuple[int, int]) -> None:
        name, chunks = f"{name}/activations", (shape[0], min(COLUMNS, shape[1]))
        self._part.create(name, shape, chunks, "f2")
        for number, slab in enumerate(slabs):
            self._part.write(name, (0, number), slab, chunks)

    def _keep_gram(self, name: str, matrix: GramMatrix) -> None:
        n = len(matrix.K)
        block = -(-n // -(-n // BLOCK))
        self._part.create(f"{name}/K", (n, n), (block, block), "f4", width=matrix.width)
        for row, start in enumerate(range(0, n, block)):
            rows = matrix.K[start : start + block].float().cpu().numpy()
            for column in range(row + 1):  # a chunk that is never written takes no room
                chunk = rows[:, column * block : (column + 1) * block]
                self._part.write(f"{name}/K", (row, column), chunk, (block, block))
        for kind in ("row_sums", "mean_products"):
            values = getattr(matrix, kind).cpu().numpy()
            self._part.create(f"{name}/{kind}", values.shape, values.shape, values.dtype.str)
            self._part.write(f"{name}/{kind}", (0,) * values.ndim, values, values.shape)

    def finish(self, attributes: dict[str, Any]) -> None:
        """Give the file its name. ``attributes`` describe the layers and what made the store."""
        self._part.finish(attributes)


class KernelStore(Store):
    """Exact kernels between the images that recordings show."""

    def __init__(self, path: Path | str):
        super().__init__(path)
        self._images = [np.array(images) for images in self.attributes["images"]]

    def _image_sets(self, wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
        return self._images

    def _gram(self, layer: str, number: int, images: np.ndarray, dtype: torch.dtype, device: torch.device) -> GramMatrix:
        kept = self._group[f"kernels/{layer}/{number}"]
        if "activations" in kept:
            return gram(column_slabs(kept["activations"]), dtype=dtype, device=device)
        stored, n = kept["K"], len(images)
        K = torch.empty(n, n, dtype=dtype, device=device)
        block = stored.chunks[0]
        for start in range(0, n, block):
            stop = min(start + block, n)
            K[start:stop, :stop] = torch.from_numpy(stored[start:stop, :stop]).to(device)
        mirror(K)
        row_sums, mean_products = (torch.from_numpy(kept[name][:]).to(device) for name in ("row_sums", "mean_products"))
        return GramMatrix(K, stored.attrs["width"], row_sums, mean_products)


def open_store(path: Path | str) -> Store:
    """The features or the exact kernels of a model.

    Raises:
        InputError: not a readable store.
    """
    kind = KernelStore if "images" in Store(path).attributes else FeatureStore
    return kind(path)
