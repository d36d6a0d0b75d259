"""Feature extraction: one forward pass per image gives the features of every wanted layer."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cortexscale.errors import InputError
from cortexscale.features.store import StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.kernels.projection import RandomProjection
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import Layer, captured
from cortexscale.stimuli import StimulusImages
from cortexscale.study.features import Projection

log = logging.getLogger(__name__)


class Inputs(Dataset[Tensor]):
    """Images of a stimulus set as network inputs.

    Args:
        images: images of the stimulus set.
        transform: function from an RGB image to a (3, height, width) tensor.
        rows: rows of the stimulus table.
    """

    def __init__(
        self, images: StimulusImages, transform: Callable[[Image.Image], Tensor], rows: Sequence[int] | np.ndarray
    ) -> None:
        self.images, self.transform, self.rows = images, transform, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> Tensor:
        return self.transform(self.images[int(self.rows[item])])


def extract_features(
    backbone: Backbone,
    layers: Sequence[Layer],
    images: StimulusImages,
    path: Path | str,
    *,
    identity: dict[str, Any],
    projection: Projection,
    batch_size: int,
    workers: int = 0,
    precision: str = "float32",
    made_by: dict[str, Any],
) -> None:
    """Write the features of all images at all layers into the store at ``path``.

    Activations are flattened (class and register tokens included), and projected to ``projection.dimensions`` where they are
    wider (paper, section 3). An interrupted run continues after its last complete block of rows.

    Args:
        backbone: the network and its transform.
        layers: layers to extract.
        images: images of the stimulus set.
        path: path of the store.
        identity: everything that these features depend on; see :class:`~cortexscale.features.store.StoreWriter`.
        projection: not exact.
        batch_size: images of a forward pass.
        workers: number of processes that read images.
        precision: precision of forward passes, see :func:`forward_precision`; it belongs to the identity.
        made_by: provenance of the store.

    Raises:
        InputError: an image cannot be read, an activation is not finite, or the output of a layer does not begin with the batch.
    """
    projections: dict[int, RandomProjection] = {}

    def projected(activations: Tensor) -> Tensor:
        width = math.prod(activations.shape[1:])
        if width not in projections:
            projections[width] = RandomProjection(projection.family, width, projection.dimensions, projection.seed)
        return projections[width](activations)

    writer = StoreWriter(path, identity, len(images))
    names = [layer.name for layer in layers]
    inputs = Inputs(images, backbone.transform, range(len(images)))
    write_rows(backbone, names, inputs, writer, projected, batch_size, workers, precision)
    writer.finish({"layers": layer_places(layers), "made_by": made_by})


def forward_precision(wanted: str) -> str:
    """Precision of forward passes on this machine: ``wanted`` on a GPU, float32 on a CPU, where less is no faster."""
    return wanted if best_device().type == "cuda" else "float32"


def write_rows(
    backbone: Backbone,
    names: Sequence[str],
    inputs: Inputs,
    writer: StoreWriter,
    features: Callable[[Tensor], Tensor],
    batch_size: int,
    workers: int,
    precision: str,
) -> None:
    """Write ``features`` of the activations of the layers ``names``, for all inputs that are not written yet.

    Features are made as soon as a layer has run, so that no two layers are held, and are rounded to float16. A batch is written
    while the next one is computed, and no other batch waits.

    Args:
        backbone: the network.
        names: names of the layers.
        inputs: network inputs.
        writer: where rows are written.
        features: function from activations (batch, ...) to features (batch, ...).
        batch_size: images of a forward pass.
        workers: number of processes that read images.
        precision: result of :func:`forward_precision`.

    Raises:
        InputError: the output of a layer does not begin with the batch, or there is none.
    """
    device = best_device()
    network = backbone.network.to(device)
    autocast = torch.autocast(device.type, getattr(torch, precision), enabled=precision != "float32")
    first = writer.rows_written
    if first:
        log.info("continuing at image %d of %d", first, len(inputs))
    rest = Inputs(inputs.images, inputs.transform, inputs.rows[first:])
    loader = DataLoader(rest, batch_size, num_workers=workers, pin_memory=device.type == "cuda")

    def kept(name: str, output: Tensor) -> Tensor:
        found = features(backbone.rows(output, len(batch), name))
        # A copy is needed in any case, as the network may work in place; on a GPU it is transferred while the network goes on.
        return found.flatten(1).to(torch.float16, copy=True).to("cpu", non_blocking=True)

    started, done = time.monotonic(), 0
    writing: Future[None] | None = None
    # This is no_grad and not inference_mode, which would hide from captured() which outputs are the same.
    with torch.no_grad(), autocast, captured(network, names, kept) as outputs, ThreadPoolExecutor(1) as thread:
        for batch in loader:
            network(batch.to(device, non_blocking=True))
            copied = _event(device)
            if writing:
                writing.result()
            writing = thread.submit(_write, writer, _all_layers(outputs, names, network), copied)
            done += len(batch)
            log.info("%d of %d images, %.0f images/s", first + done, len(inputs), done / (time.monotonic() - started))
        if writing:
            writing.result()


def _event(device: torch.device) -> torch.cuda.Event | None:
    """Mark the present end of the queue of a GPU; None on other devices."""
    return torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None


def _write(writer: StoreWriter, rows: Mapping[str, Tensor], copied: torch.cuda.Event | None) -> None:
    if copied:
        copied.synchronize()
    writer.write({name: features.numpy() for name, features in rows.items()})


def _all_layers(outputs: Mapping[str, Tensor], names: Sequence[str], network: torch.nn.Module) -> dict[str, Tensor]:
    silent = [name for name in names if name not in outputs]
    if silent:
        raise InputError(
            f"layer {silent[0]} of a {type(network).__name__}",
            "no output, or fewer steps than for the images before",
            "a module that runs in every forward pass, equally often",
            "leave this layer out of `layers`",
        )
    return {name: outputs[name] for name in names}


def layer_places(layers: Sequence[Layer]) -> dict[str, dict[str, float]]:
    """Position and depth of each layer by name, as stores record them."""
    return {layer.name: {"position": layer.position, "depth": layer.depth} for layer in layers}
