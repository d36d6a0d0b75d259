"""Feature extraction. One forward pass per image gives the features of all requested layers."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from cortexscale.commitments import Commitments
from cortexscale.errors import InputError
from cortexscale.features.blocks import ROWS
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.jobs import plain
from cortexscale.kernels.device import best_device, keep_freed_memory
from cortexscale.kernels.projection import RandomProjection
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import Layer, candidate_layers, captured, chosen_layers
from cortexscale.models.loading import Sample, loaded
from cortexscale.models.model import Model
from cortexscale.models.repeated import BATCH, CHANCE, MOST, Cause, difference
from cortexscale.stimuli import StimulusImages, read_stimulus_table, table_hash
from cortexscale.study.features import Precision, Projection
from cortexscale.study.images import ImageFiles

log = logging.getLogger(__name__)


class Inputs:
    """The network inputs (3, height, width) of some rows of a stimulus table."""

    def __init__(
        self, images: StimulusImages, transform: Callable[[Image.Image], Tensor], rows: Sequence[int] | np.ndarray
    ) -> None:
        self.images, self.transform, self.rows = images, transform, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, item: int) -> Tensor:
        return self.transform(self.images[int(self.rows[item])])

    def sample(self, item: int) -> Sample:
        """Return the input at position ``item``, and 0 in place of a label."""
        return self[item], 0


@dataclass(frozen=True)
class ForwardPasses:
    """Forward passes of the images of a stimulus set through a network.

    Attributes:
        identity: everything on which the activations depend, apart from the layer.
        batch_size: number of images in a forward pass.
        workers: number of processes that read images.
        precision: result of :func:`forward_precision`.
    """

    backbone: Backbone
    images: StimulusImages
    identity: dict[str, Any]
    batch_size: int
    workers: int = 0
    precision: str = "float32"

    def inputs(self, rows: Sequence[int] | np.ndarray | None = None) -> Inputs:
        """Return the network inputs of some rows of the stimulus table, by default of all rows."""
        return Inputs(self.images, self.backbone.transform, range(len(self.images)) if rows is None else rows)

    def write(
        self, names: Sequence[str], inputs: Inputs, writer: StoreWriter, features: Callable[[Tensor], Tensor] = lambda x: x
    ) -> None:
        """Write the features of some layers for all inputs that ``writer`` has not written yet.

        The function ``features`` turns the activations (batch, ...) of a layer into features as soon as the layer has run, so
        memory holds the activations of one layer at a time. Each batch is written while the next batch is computed, so that
        memory holds the features of two batches. An InputError is raised if a layer has no output, or if the first dimension of
        its output is not the batch.
        """
        device = best_device()
        network = self.backbone.network.to(device)
        autocast = torch.autocast(device.type, getattr(torch, self.precision), enabled=self.precision != "float32")
        first = writer.rows_written
        if first:
            log.info("continuing at image %d of %d", first, len(inputs))
        rest = Inputs(inputs.images, inputs.transform, inputs.rows[first:])
        batches = (range(start, min(start + self.batch_size, len(rest))) for start in range(0, len(rest), self.batch_size))

        def kept(name: str, output: Tensor) -> Tensor:
            found = features(self.backbone.rows(output, len(images), name))
            if not done:
                if images is first_image:
                    alone[name] = found[0]
                else:
                    where = f"layer {name} of a {type(network).__name__}"
                    _require_same(alone[name], found[0], self.precision, where, BATCH if images is batch else CHANCE)
            # Features are copied, because the network can change them in place. A GPU transfers the copy while the network
            # continues.
            return found.flatten(1).to(torch.float32, copy=True).to("cpu", non_blocking=True)

        alone: dict[str, Tensor] = {}
        started, done = time.monotonic(), 0
        writing: Future[None] | None = None
        # In inference_mode, captured() could not detect that two modules put out the same tensor, so no_grad is used.
        with torch.no_grad(), autocast, captured(network, names, kept) as outputs, ThreadPoolExecutor(1) as thread:
            for batch, _ in loaded(rest.sample, batches, self.workers, device):
                self._require_finite(batch, inputs.rows[first + done :])
                first_image = batch[:1]
                # The first image also passes through the network alone. If the first dimension of an output then has length 1,
                # this dimension is the batch. A whole batch would not show this, because another dimension can have the same
                # length. The first image passes alone twice: features that differ between these passes are random, and features
                # that differ only in the whole batch depend on other images.
                for images in (batch,) if done else (first_image, batch[:1], batch):
                    network(images)
                copied = torch.cuda.current_stream(device).record_event() if device.type == "cuda" else None
                if writing:
                    writing.result()
                writing = thread.submit(_write, writer, _all_layers(outputs, names, network), copied)
                done += len(batch)
                log.info("%d of %d images, %.0f images/s", first + done, len(inputs), done / (time.monotonic() - started))
            if writing:
                writing.result()

    def _require_finite(self, batch: Tensor, rows: Sequence[int] | np.ndarray) -> None:
        finite = torch.isfinite(batch).flatten(1).all(dim=1)
        if not finite.all():
            where = f"input of model {self.identity.get('model')}, stimulus row {rows[int(finite.int().argmin())]}"
            found = "numbers that are not finite after the transform"
            remedy = "correct the transform: it may divide by the standard deviation of an image, which is 0 for a uniform one"
            raise InputError(where, found, "a finite number for every pixel", remedy)


@dataclass(frozen=True, kw_only=True)
class ModelOnImages(ForwardPasses):
    """A loaded model with its candidate layers, from shallow to deep, and the images and table of a stimulus set."""

    candidates: list[Layer]
    table: pd.DataFrame

    @classmethod
    def load(
        cls, model: Model, stimuli: Path, images: ImageFiles, precision: Precision, *, batch_size: int, workers: int = 0
    ) -> Self:
        """Load a model, and open the images that the stimulus table in the file ``stimuli`` lists."""
        keep_freed_memory()
        backbone, possible = load_backbone(model), forward_precision(precision)
        table = read_stimulus_table(stimuli)
        identity = {
            "model": model.id,
            "weights": weights_hash(backbone.network),
            "transform": str(backbone.transform),
            "stimuli": table_hash(table),
            "precision": possible,
        }
        return cls(
            backbone=backbone,
            images=StimulusImages(images.layout, images.path, table),
            identity=identity,
            batch_size=batch_size,
            workers=workers,
            precision=possible,
            candidates=candidate_layers(backbone.network, model.layers),
            table=table,
        )

    def committed(self, commitments: Commitments) -> list[Layer]:
        """Return the committed layers, from shallow to deep.

        Raises:
            InputError: the model uses the committed layers of another model and lacks some of them, or the config had other
                ``layers`` when the layers were committed.
        """
        model, reference, remedy = self.identity["model"], commitments.model_id, None
        where = f"committed layers of {reference}"
        if model != reference:
            where = f"model {model}, which uses the committed layers of its reference model {reference}"
            modules = dict(self.backbone.network.named_modules())
            if not all(name in modules for name in commitments.layer_names):
                remedy = f"name a reference model with the same layers as {model}, or let its own layers be searched: drop its "
                remedy += "`reference`, or set layer_commitment.borrow: false"
        return chosen_layers(self.candidates, commitments.layer_names, where, remedy)


def forward_precision(wanted: str) -> str:
    """Return the precision of forward passes.

    The precision is ``wanted`` on a GPU, and float32 on a CPU, where lower precision is not faster.
    """
    return wanted if best_device().type == "cuda" else "float32"


def extract_features(
    passes: ForwardPasses, layers: Sequence[Layer], path: Path | str, *, projection: Projection, made_by: dict[str, Any]
) -> None:
    """Write the features of all images in all ``layers`` into the store at ``path``.

    Activations are flattened, with class and register tokens. If a layer has more than ``projection.dimensions`` activations,
    they are projected to this number of dimensions (paper, section 3). An interrupted run continues after its last complete block
    of rows.
    """
    names, inputs = [layer.name for layer in layers], passes.inputs()
    writer = StoreWriter(path, passes.identity | {"layers": names, "projection": plain(projection)}, len(inputs))
    passes.write(names, inputs, writer, _projecting(projection))
    writer.finish({"layers": layer_places(layers), "made_by": made_by})


def project_activations(activations: FeatureStore, path: Path | str, projection: Projection) -> FeatureStore:
    """Project stored activations, which are rounded to float16, and write the same store as :func:`extract_features`.

    One block of rows is held in memory. An interrupted run continues after its last complete block.
    """
    identity = activations.attributes["identity"] | {"projection": plain(projection)}
    n, device, projected = activations.n_rows, best_device(), _projecting(projection)
    writer = StoreWriter(path, identity, n)
    for start in range(writer.rows_written, n, ROWS):
        blocks = {layer: activations.features(layer)[start : start + ROWS] for layer in activations.layers}
        on_device = {layer: torch.from_numpy(rows).to(device) for layer, rows in blocks.items()}
        writer.write({layer: projected(rows).cpu().numpy() for layer, rows in on_device.items()})
    writer.finish({"layers": activations.layers})
    return FeatureStore(path)


def _require_same(first: Tensor, second: Tensor, precision: str, where: str, cause: Cause) -> None:
    """Raise an InputError if the features of an image differ between two passes. ``cause`` says why they differ."""
    apart = difference(first, second)
    if apart > (MOST if precision == "float32" else 5 * MOST):
        found = f"features of one image that differ by {100 * apart:.1f} % {cause.text}"
        raise InputError(where, found, "features that depend on the image alone", cause.remedy)


def _projecting(projection: Projection) -> Callable[[Tensor], Tensor]:
    """Make a function that projects activations (n, ...) of any layer."""

    @cache
    def of_width(width: int) -> RandomProjection:
        return RandomProjection(projection.family, width, projection.dimensions, projection.seed)

    return lambda activations: of_width(math.prod(activations.shape[1:]))(activations)


def _write(writer: StoreWriter, rows: Mapping[str, Tensor], copied: torch.cuda.Event | None) -> None:
    if copied:
        copied.synchronize()
    writer.write({name: features.numpy() for name, features in rows.items()})


def _all_layers(outputs: Mapping[str, Tensor], names: Sequence[str], network: torch.nn.Module) -> dict[str, Tensor]:
    silent = [name for name in names if name not in outputs]
    if silent:
        found = "no output, or fewer steps than for the images before"
        expected = "a module that runs in every forward pass, equally often"
        raise InputError(f"layer {silent[0]} of a {type(network).__name__}", found, expected, "leave this layer out of `layers`")
    return {name: outputs[name] for name in names}


def layer_places(layers: Sequence[Layer]) -> dict[str, dict[str, float]]:
    """Return the position and depth of each layer by name, as stores record them."""
    return {layer.name: {"position": layer.position, "depth": layer.depth} for layer in layers}
