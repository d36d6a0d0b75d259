"""Extraction of exact kernels, which are Gram matrices of all activations of a layer, without random projection.

A kernel is made from slabs of columns for all images, but a forward pass gives all columns for a few images. Activations are
therefore stored on disk in between. ``scratch_gb`` limits their size, so each pass over the images makes the kernels of a few
layers.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.features.blocks import columns_at_a_time
from cortexscale.features.extract import ForwardPasses, layer_places
from cortexscale.features.image_sets import image_sets
from cortexscale.features.kernel_store import KernelWriter
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.device import best_device
from cortexscale.models.layers import Layer, layer_widths

log = logging.getLogger(__name__)


def extract_kernels(
    passes: ForwardPasses,
    layers: Sequence[Layer],
    path: Path | str,
    *,
    image_rows: Sequence[np.ndarray],
    scratch_gb: float,
    made_by: dict[str, Any],
) -> None:
    """Write the kernels of all layers.

    Each array in ``image_rows`` has rows of the stimulus table. Every layer gets a kernel that contains all images of this array.
    Activations are flattened, with class and register tokens, and rounded to float16. A layer that needs more than ``scratch_gb``
    of disk has a pass of its own. An interrupted run continues after the last complete block of rows, or after the last complete
    layer.
    """
    path, sets = Path(path), image_sets(image_rows)
    images = hashlib.blake2b(b"|".join(rows.tobytes() for rows in sets), digest_size=16).hexdigest()
    identity = passes.identity | {"layers": [layer.name for layer in layers], "images": images}
    kernels, scratch = KernelWriter(path, identity, sets), path.with_name(f".{path.name}.rows")
    passes = replace(passes, identity=identity)
    wanted = activations_on_disk(
        passes, layers, scratch, scratch_gb=scratch_gb, rows=kernels.images, wanted=lambda name: name not in kernels
    )
    for activations in wanted:
        for name in activations.layers:
            if name not in kernels:
                kernels.add(name, activations.features(name))
    kernels.finish({"layers": layer_places(layers), "made_by": made_by})


def activations_on_disk(
    passes: ForwardPasses,
    layers: Sequence[Layer],
    scratch: Path,
    *,
    scratch_gb: float,
    rows: np.ndarray | None = None,
    wanted: Callable[[str], bool] = lambda name: True,
) -> Iterator[FeatureStore]:
    """Yield all activations for some rows of the stimulus table, in stores of a few layers. Each store is deleted after use.

    The file ``scratch`` takes at most ``scratch_gb``, or more if a single layer needs more. A pass over the images is skipped if
    none of its layers is wanted. An interrupted pass continues after its last complete block of rows.
    """
    inputs, device, places = passes.inputs(rows), best_device(), layer_places(layers)
    passes.backbone.network.to(device)
    widths = dict(zip(places, layer_widths(passes.backbone, list(places), inputs[0][None].to(device)), strict=True))
    groups = layers_at_a_time(widths, len(inputs), scratch_gb * 1e9, passes.batch_size)
    for number, names in enumerate(groups, start=1):
        missing = [name for name in names if wanted(name)]
        log.info("pass %d of %d: %d of %d layers to make", number, len(groups), len(missing), len(names))
        if missing:
            identity = passes.identity | {"layers": names}
            if not _is_of(scratch, identity):
                writer = StoreWriter(scratch, identity, len(inputs), inputs.rows)
                passes.write(names, inputs, writer)
                writer.finish({"layers": {name: places[name] for name in names}})
            yield FeatureStore(scratch)
            scratch.unlink()


def _is_of(scratch: Path, identity: dict[str, Any]) -> bool:
    """Tell whether an earlier run wrote the activations with this ``identity`` to ``scratch``.

    If the file has other activations, it is deleted, so that the disk never holds two sets of activations.
    """
    if scratch.exists() and FeatureStore(scratch).attributes["identity"] == json.loads(json.dumps(identity)):
        return True
    scratch.unlink(missing_ok=True)
    return False


def layers_at_a_time(widths: Mapping[str, int], n_images: int, scratch_bytes: float, batch_size: int) -> list[list[str]]:
    """Group consecutive layers whose float16 activations fit on disk and in memory.

    A layer that does not fit forms its own group.
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
