"""Exact kernels: the Gram matrix of all activations of a layer, without a random projection.

A kernel needs all images for each slab of columns, a forward pass gives all layers for each image. In between the rows of
activations lie on disk, for as many layers at a time as ``scratch_gb`` allows: each pass over the images makes a few layers.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from cortexscale.features.extract import Inputs, layer_places, write_rows
from cortexscale.features.image_sets import image_sets
from cortexscale.features.kernel_store import KernelWriter
from cortexscale.features.part import part_folder
from cortexscale.features.store import ALL_CHUNKS, COLUMNS, ROWS, FeatureStore, StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import Layer, captured
from cortexscale.stimuli import StimulusImages

log = logging.getLogger(__name__)

WAITING = 2e9
"""Most bytes of rows that wait in memory for their block to be whole."""


class ScratchRows(StoreWriter):
    """Rows of a store that stays a folder. All columns of a block of rows are one file, as clusters count files."""

    def _create(self, layer: str, width: int) -> None:
        columns = min(COLUMNS, width)
        chunks, shards = (ROWS, columns), (ROWS, -(-width // columns) * columns)
        self.group.create_array(
            layer, shape=(self.n_rows, width), dtype="f2", chunks=chunks, shards=shards, compressors=None, config=ALL_CHUNKS
        )


def extract_kernels(
    backbone: Backbone,
    layers: Sequence[Layer],
    images: StimulusImages,
    path: Path | str,
    *,
    identity: dict[str, Any],
    shown: Sequence,
    scratch_gb: float,
    batch_size: int,
    workers: int = 0,
    precision: str = "float32",
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
    inputs = Inputs(images, backbone.transform, kernels.images)
    for activations in activations_on_disk(
        backbone,
        layers,
        inputs,
        scratch,
        identity=identity,
        scratch_gb=scratch_gb,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
        wanted=lambda name: name not in kernels,
    ):
        for name in activations.layers:
            if name not in kernels:
                kernels.add(name, activations.array(name))
    kernels.finish({"layers": layer_places(layers), "made_by": made_by})


def activations_on_disk(
    backbone: Backbone,
    layers: Sequence[Layer],
    inputs: Inputs,
    scratch: Path,
    *,
    identity: dict[str, Any],
    scratch_gb: float,
    batch_size: int,
    workers: int = 0,
    precision: str = "float32",
    wanted: Callable[[str], bool] = lambda name: True,
) -> Iterator[FeatureStore]:
    """All activations of all inputs, for a few layers at a time. A store is gone when the next one is asked for.

    A pass over the images that was interrupted continues at its last whole block of rows.

    Args:
        scratch: names the folder that they lie in.
        identity: what these activations depend on.
        scratch_gb: room on disk. A layer that needs more is made alone.
        wanted: layers without which a pass is left out.
    """
    widths = layer_widths(backbone, [layer.name for layer in layers], inputs[0])
    passes = layers_at_a_time(widths, len(inputs), scratch_gb * 1e9, batch_size)
    for number, names in enumerate(passes, start=1):
        missing = [name for name in names if wanted(name)]
        log.info("pass %d of %d: %d of %d layers to make", number, len(passes), len(missing), len(names))
        if missing:
            rows = ScratchRows(scratch, identity | {"layers": names}, len(inputs), inputs.rows)
            write_rows(backbone, names, inputs, rows, lambda activations: activations, batch_size, workers, precision)
            rows.complete()
            rows.group.attrs["layers"] = {name: place for name, place in layer_places(layers).items() if name in names}
            yield FeatureStore(part_folder(scratch))
    shutil.rmtree(part_folder(scratch), ignore_errors=True)


def layer_widths(backbone: Backbone, names: Sequence[str], picture: torch.Tensor) -> dict[str, int]:
    """Activations of each layer, found by one forward pass."""
    device = best_device()
    with torch.inference_mode(), captured(backbone.network.to(device), names) as outputs:
        backbone.network(picture[None].to(device))
    return {name: backbone.rows(outputs[name], 1, name).shape[1] for name in names}


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
