"""Scores of all activations of a model, without projection: extracted, scored a few layers at a time, and dropped."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import Targets
from cortexscale.features.exact import activations_on_disk
from cortexscale.features.extract import Inputs, forward_precision
from cortexscale.features.store import FeatureStore
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import candidate_layers, chosen_layers
from cortexscale.stimuli import StimulusImages, table_hash

Commitments = dict[str, dict[str, dict[str, Any]]]


def committed_activations(
    model: dict[str, Any],
    images: StimulusImages,
    stimuli: pd.DataFrame,
    commitments: Commitments,
    scratch: Path,
    *,
    scratch_gb: float,
    batch_size: int,
    workers: int,
    precision: str,
) -> tuple[dict[str, Any], Iterator[FeatureStore]]:
    """All activations of the committed layers for all images, for a few layers at a time.

    Args:
        model: inventory entry.
        stimuli: the table of ``images``.
        commitments: dataset -> ROI -> ``layer_name``.
        scratch: names the folder that activations lie in.
        precision: of the config, for a GPU.

    Returns:
        What they depend on, and stores, each of which is gone when the next one is asked for.

    Raises:
        InputError: the model cannot be built or has no such layer, an image cannot be read, or an activation is not finite.
    """
    backbone, precision = load_backbone(model), forward_precision(precision)
    wanted = {entry["layer_name"] for rois in commitments.values() for entry in rois.values()}
    layers = chosen_layers(candidate_layers(backbone.network, model["layers"]), wanted, f"the commitments of {model['id']}")
    identity = {
        "model": model["id"],
        "weights": weights_hash(backbone.network),
        "transform": str(backbone.transform),
        "stimuli": table_hash(stimuli),
        "precision": precision,
    }
    stores = activations_on_disk(
        backbone,
        layers,
        Inputs(images, backbone.transform, range(len(images))),
        scratch,
        identity=identity,
        scratch_gb=scratch_gb,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
    )
    return identity, stores


def score_unprojected(
    activations: Iterable[FeatureStore],
    targets: Sequence[Targets],
    commitments: Commitments,
    settings: RidgeSettings,
    similarity: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As :func:`~cortexscale.alignment.score.score_alignment`, of all activations in place of features.

    Args:
        activations: stores with rows as in the stimulus table. Each committed layer is in one of them.
    """
    tables = [
        score_alignment(whole, targets, at_layers(commitments, whole.layers), settings, similarity) for whole in activations
    ]
    rows, units = (pd.concat(parts, ignore_index=True) for parts in zip(*tables, strict=True))
    return rows, units


def at_layers(commitments: Commitments, layers: Collection[str]) -> Commitments:
    """The ROIs that are committed to one of some layers."""
    return {
        dataset: {roi: entry for roi, entry in rois.items() if entry["layer_name"] in layers}
        for dataset, rois in commitments.items()
    }
