"""Feature extraction: one forward pass per image serves every wanted layer."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cortexscale.features.store import StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.kernels.projection import Projection
from cortexscale.models.layers import Layer, captured
from cortexscale.stimuli import StimulusImages

log = logging.getLogger(__name__)


class Inputs(Dataset):
    """Pictures of a stimulus set as network inputs."""

    def __init__(self, images: StimulusImages, transform: Callable, rows: Sequence[int]):
        self.images, self.transform, self.rows = images, transform, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> Tensor:
        return self.transform(self.images[self.rows[item]])


def extract_features(
    network: torch.nn.Module,
    layers: Sequence[Layer],
    images: StimulusImages,
    transform: Callable,
    path: Path | str,
    *,
    identity: dict[str, Any],
    projection: dict[str, Any],
    batch_size: int,
    workers: int = 0,
    made_by: dict[str, Any],
) -> None:
    """Write the features of all images at all layers into the store at ``path``.

    Activations are flattened (class and register tokens included) and projected to ``projection["dimensions"]``
    where they are wider (paper, section 3). A run that was interrupted continues at its last whole block of rows.

    Args:
        identity: what these features depend on; see :class:`~cortexscale.features.store.StoreWriter`.
        projection: ``family``, ``dimensions``, ``seed``.

    Raises:
        InputError: an image cannot be read, or an activation is not finite.
    """
    projections: dict[int, Projection] = {}

    def projected(activations: Tensor) -> Tensor:
        width = activations.shape[1]
        if width not in projections:
            projections[width] = Projection(projection["family"], width, projection["dimensions"], projection["seed"])
        return projections[width](activations)

    writer = StoreWriter(path, identity, len(images))
    names = [layer.name for layer in layers]
    write_rows(network, names, Inputs(images, transform, range(len(images))), writer, projected, batch_size, workers)
    writer.finish({"layers": layer_places(layers), "made_by": made_by})


def write_rows(
    network: torch.nn.Module,
    names: Sequence[str],
    inputs: Inputs,
    writer: StoreWriter,
    features: Callable[[Tensor], Tensor],
    batch_size: int,
    workers: int,
) -> None:
    """Write ``features`` of the activations (batch, width) of the layers ``names``, for all inputs that are not written yet."""
    device = best_device()
    network = network.to(device)
    if writer.rows_written:
        log.info("continuing at image %d of %d", writer.rows_written, len(inputs))
    rest = Inputs(inputs.images, inputs.transform, inputs.rows[writer.rows_written :])
    loader = DataLoader(rest, batch_size, num_workers=workers, pin_memory=device.type == "cuda")
    started, done = time.monotonic(), 0
    with torch.inference_mode(), captured(network, names) as outputs:
        for batch in loader:
            network(batch.to(device, non_blocking=True))
            writer.write({name: features(outputs[name].float()).cpu().numpy() for name in names})
            done += len(batch)
            log.info("%d of %d images, %.0f images/s", writer.rows_written, len(inputs), done / (time.monotonic() - started))


def layer_places(layers: Sequence[Layer]) -> dict[str, dict[str, float]]:
    """Where each layer is in its network, as stores note it."""
    return {layer.name: {"position": layer.position, "depth": layer.depth} for layer in layers}
