"""Exact kernels: Gram matrices of all activations of a layer, without a random projection.

A kernel needs a slab of columns for all images, while a forward pass gives all layers for one image. The rows of activations
therefore lie on disk in between. ``scratch_gb`` limits the space, so each pass over the images makes the kernels of a few layers.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cortexscale.features.blocks import columns_at_a_time
from cortexscale.features.extract import Inputs, layer_places, write_rows
from cortexscale.features.image_sets import image_sets
from cortexscale.features.kernel_store import KernelWriter
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import Layer, captured
from cortexscale.stimuli import StimulusImages

if TYPE_CHECKING:
    from cortexscale.features.model_on_images import ModelOnImages

log = logging.getLogger(__name__)


def extract_kernels(
    backbone: Backbone,
    layers: Sequence[Layer],
    images: StimulusImages,
    path: Path | str,
    *,
    identity: dict[str, Any],
    image_rows: Sequence[np.ndarray],
    scratch_gb: float,
    batch_size: int,
    workers: int = 0,
    precision: str = "float32",
    made_by: dict[str, Any],
) -> None:
    """Write the kernels of all layers into the store at ``path``.

    Activations are flattened (class and register tokens included) and rounded to float16. An interrupted run continues after
    its last complete block of rows, or after the last complete layer.

    Args:
        backbone: the network and its transform.
        layers: layers to make kernels of.
        images: images of the stimulus set.
        path: path of the store.
        identity: everything that these kernels depend on, except the images.
        image_rows: rows of the stimulus table; one array for each set of images that needs a common kernel.
        scratch_gb: disk space for activations. A layer that needs more is made alone.
        batch_size: images of a forward pass.
        workers: number of processes that read images.
        precision: precision of forward passes, see :func:`~cortexscale.features.extract.forward_precision`.
        made_by: provenance of the store.

    Raises:
        InputError: an image cannot be read, or an activation is not finite.
    """
    path, sets = Path(path), image_sets(image_rows)
    identity = identity | {"images": hashlib.blake2b(b"|".join(rows.tobytes() for rows in sets), digest_size=16).hexdigest()}
    kernels, scratch = KernelWriter(path, identity, sets), path.with_name(f".{path.name}.rows")
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
    """Yield all activations of all inputs, for a few layers at a time. Each store is deleted when the next one is asked for.

    An interrupted pass over the images continues after its last complete block of rows.

    Args:
        backbone: the network.
        layers: layers whose activations are wanted.
        inputs: network inputs.
        scratch: the file that holds the activations.
        identity: everything that these activations depend on.
        scratch_gb: disk space. A layer that needs more is made alone.
        batch_size: images of a forward pass.
        workers: number of processes that read images.
        precision: precision of forward passes, see :func:`~cortexscale.features.extract.forward_precision`.
        wanted: whether the layer of a name is still wanted. A pass without any wanted layer is skipped.

    Raises:
        InputError: an image cannot be read, or an activation is not finite.
    """
    widths = layer_widths(backbone, [layer.name for layer in layers], inputs[0])
    passes = layers_at_a_time(widths, len(inputs), scratch_gb * 1e9, batch_size)
    places = layer_places(layers)
    for number, names in enumerate(passes, start=1):
        missing = [name for name in names if wanted(name)]
        log.info("pass %d of %d: %d of %d layers to make", number, len(passes), len(missing), len(names))
        if missing:
            of_pass = identity | {"layers": names}
            if not _is_of(scratch, of_pass):
                rows = StoreWriter(scratch, of_pass, len(inputs), inputs.rows)
                write_rows(backbone, names, inputs, rows, lambda activations: activations, batch_size, workers, precision)
                rows.finish({"layers": {name: places[name] for name in names}})
            yield FeatureStore(scratch)
            scratch.unlink()


def committed_activations(
    job: "ModelOnImages", layers: Sequence[Layer], scratch: Path, *, scratch_gb: float, batch_size: int, workers: int
) -> Iterator[FeatureStore]:
    """Apply :func:`activations_on_disk` to some layers of a model and its whole stimulus set."""
    return activations_on_disk(
        job.backbone,
        layers,
        Inputs(job.images, job.backbone.transform, range(len(job.images))),
        scratch,
        identity=job.identity,
        scratch_gb=scratch_gb,
        batch_size=batch_size,
        workers=workers,
        precision=job.precision,
    )


def _is_of(scratch: Path, identity: dict[str, Any]) -> bool:
    """Whether an earlier run made these activations. Activations of anything else are deleted, before the disk holds more."""
    if scratch.exists() and FeatureStore(scratch).attributes["identity"] == json.loads(json.dumps(identity)):
        return True
    scratch.unlink(missing_ok=True)
    return False


def layer_widths(backbone: Backbone, names: Sequence[str], image: torch.Tensor) -> dict[str, int]:
    """Number of activations of each layer, found by one forward pass of a transformed image (3, height, width)."""
    device = best_device()
    with torch.inference_mode(), captured(backbone.network.to(device), names) as outputs:
        backbone.network(image[None].to(device))
    return {name: backbone.rows(outputs[name], 1, name).shape[1] for name in names}


def layers_at_a_time(widths: Mapping[str, int], n_images: int, scratch_bytes: float, batch_size: int) -> list[list[str]]:
    """Group consecutive layers so that their float16 activations fit the limits of disk and memory.

    The columns of a group are those that fit at a time. A layer that exceeds them is alone in its group.
    """
    most = columns_at_a_time(n_images, scratch_bytes, batch_size)
    passes: list[list[str]] = []
    columns: float = most
    for name, width in widths.items():
        if columns + width > most:
            passes.append([])
            columns = 0
        passes[-1].append(name)
        columns += width
        if 2 * n_images * width > scratch_bytes:
            log.warning("layer %s takes %.1f GB of scratch space, more than allowed", name, 2 * n_images * width / 1e9)
    return passes
