"""Feature extraction: one forward pass per image serves every wanted layer."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from cortexscale.features.store import StoreWriter
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

    def __getitem__(self, item: int) -> torch.Tensor:
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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device)
    writer = StoreWriter(path, identity, len(images))
    if writer.rows_written:
        log.info("continuing at image %d of %d", writer.rows_written, len(images))
    inputs = Inputs(images, transform, range(writer.rows_written, len(images)))
    loader = DataLoader(inputs, batch_size, num_workers=workers, pin_memory=device.type == "cuda")
    projections: dict[int, Projection] = {}
    names, started, done = [layer.name for layer in layers], time.monotonic(), 0
    with torch.inference_mode(), captured(network, names) as outputs:
        for batch in loader:
            network(batch.to(device, non_blocking=True))
            features = {}
            for name in names:
                activations = outputs[name].float()
                width = activations.shape[1]
                if width not in projections:
                    projections[width] = Projection(projection["family"], width, projection["dimensions"], projection["seed"])
                features[name] = projections[width](activations).cpu().numpy()
            writer.write(features)
            done += len(batch)
            log.info("%d of %d images, %.0f images/s", writer.rows_written, len(images), done / (time.monotonic() - started))
    depth = {layer.name: {"position": layer.position, "depth": layer.depth} for layer in layers}
    writer.finish({"layers": depth, "made_by": made_by})
