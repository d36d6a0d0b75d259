"""Exact kernels: the Gram matrix of all activations of a layer, without a random projection.

A kernel needs all images for each slab of columns, a forward pass gives all layers for each image. In between the rows of
activations lie on disk, for as many layers at a time as ``scratch_gb`` allows: each pass over the images makes a few layers.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cortexscale.features.extract import Inputs, layer_places, write_rows
from cortexscale.features.image_sets import image_sets
from cortexscale.features.kernel_store import KernelWriter
from cortexscale.features.part import part_folder
from cortexscale.features.store import COLUMNS, ROWS, StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.models.layers import Layer, captured
from cortexscale.stimuli import StimulusImages

log = logging.getLogger(__name__)

WAITING = 2e9
"""Most bytes of rows that wait in memory for their block to be whole."""


class ScratchRows(StoreWriter):
    """Rows of a store that is never finished. All columns of a block of rows are one file, as clusters count files."""

    def _create(self, layer: str, width: int) -> None:
        columns = min(COLUMNS, width)
        chunks, shards = (ROWS, columns), (ROWS, -(-width // columns) * columns)
        self.group.create_array(layer, shape=(self.n_rows, width), dtype="f2", chunks=chunks, shards=shards, compressors=None)


def extract_kernels(
    network: torch.nn.Module,
    layers: Sequence[Layer],
    images: StimulusImages,
    transform: Callable,
    path: Path | str,
    *,
    identity: dict[str, Any],
    shown: Sequence,
    scratch_gb: float,
    batch_size: int,
    workers: int = 0,
    made_by: dict[str, Any],
) -> None:
    """Write the kernels of all layers, between the images that recordings show, into the store at ``path``.

    Activations are flattened (class and register tokens included) and rounded to float16. A run that was interrupted
    continues at its last whole block of rows, or after the last complete layer.

    Args:
        identity: what these kernels depend on, beside the images.
        shown: rows of the stimulus table, one array for each set of images that are wanted together.
        scratch_gb: room on disk for activations. A layer that needs more is made alone.

    Raises:
        InputError: an image cannot be read, or an activation is not finite.
    """
    path, sets = Path(path), image_sets(shown)
    identity = identity | {"images": hashlib.blake2b(b"|".join(rows.tobytes() for rows in sets), digest_size=16).hexdigest()}
    kernels, scratch = KernelWriter(path, identity, sets), path.with_name(f"{path.name}.rows")
    inputs = Inputs(images, transform, kernels.images)
    widths = layer_widths(network, [layer.name for layer in layers], inputs[0])
    passes = layers_at_a_time(widths, len(inputs), scratch_gb * 1e9, batch_size)
    for number, names in enumerate(passes, start=1):
        missing = [name for name in names if name not in kernels]
        log.info("pass %d of %d: %d of %d layers to make", number, len(passes), len(missing), len(names))
        if missing:
            rows = ScratchRows(scratch, identity | {"layers": names}, len(inputs), inputs.rows)
            write_rows(network, names, inputs, rows, lambda activations: activations, batch_size, workers)
            rows.complete()
            for name in missing:
                kernels.add(name, rows.group[name])
    shutil.rmtree(part_folder(scratch), ignore_errors=True)
    kernels.finish({"layers": layer_places(layers), "made_by": made_by})


def layer_widths(network: torch.nn.Module, names: Sequence[str], picture: torch.Tensor) -> dict[str, int]:
    """Activations of each layer, found by one forward pass."""
    device = best_device()
    with torch.inference_mode(), captured(network.to(device), names) as outputs:
        network(picture[None].to(device))
    return {name: outputs[name].shape[1] for name in names}


def layers_at_a_time(widths: Mapping[str, int], n_images: int, scratch_bytes: float, batch_size: int) -> list[list[str]]:
    """Consecutive layers whose float16 activations of all images fit the scratch space together, and those of a block of rows
    ``WAITING``; a layer that is too wide for either is alone.
    """
    most = min(scratch_bytes / n_images, WAITING / min(n_images, ROWS + batch_size)) / 2
    passes: list[list[str]] = []
    columns = most
    for name, width in widths.items():
        if columns + width > most:
            passes.append([])
            columns = 0
        passes[-1].append(name)
        columns += width
        if 2 * n_images * width > scratch_bytes:
            log.warning("layer %s takes %.1f GB of scratch space, more than allowed", name, 2 * n_images * width / 1e9)
    return passes
