"""Random projections of activations that lie on disk, which need no further pass over the images."""

from functools import cache
from pathlib import Path

import torch

from cortexscale.features.blocks import ROWS
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.jobs import plain
from cortexscale.kernels.device import best_device
from cortexscale.kernels.projection import RandomProjection
from cortexscale.study.features import Projection


def project_activations(activations: FeatureStore, path: Path | str, projection: Projection) -> FeatureStore:
    """Write the store that extraction would write with this projection, up to the rounding of activations to float16.

    One block of rows is held in memory. An interrupted run continues after its last complete block.

    Args:
        activations: store of unprojected activations.
        path: path of the new store.
        projection: not exact.

    Returns:
        The new store.

    Raises:
        InputError: a projected value is not finite as float16.
    """

    @cache
    def projection_of(width: int) -> RandomProjection:
        return RandomProjection(projection.family, width, projection.dimensions, projection.seed)

    identity = activations.attributes["identity"] | {"projection": plain(projection)}
    n, device = activations.n_rows, best_device()
    writer = StoreWriter(path, identity, n)
    for start in range(writer.rows_written, n, ROWS):
        projected = {}
        for layer in activations.layers:
            rows = torch.from_numpy(activations.array(layer)[start : start + ROWS]).to(device).float()
            projected[layer] = projection_of(rows.shape[1])(rows).cpu().numpy()
        writer.write(projected)
    writer.finish({"layers": activations.layers})
    return FeatureStore(path)
