"""Build models of the published suite of Gokce & Schrimpf (2025)."""

from pathlib import Path
from typing import Any

from cortexscale.models import architectures
from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import evaluation_transform


def build(model: dict[str, Any], weights: bool) -> Backbone:
    """Build the network of ``builder``, which has ``architecture``, ``classes``, and ``ema`` for the weights."""
    architecture = model["builder"]["architecture"]
    network = architectures.build(architecture, model["builder"]["classes"])
    if weights:
        load_weights(network, Path(model["checkpoint"]), ema=model["builder"]["ema"])
    return Backbone(network, evaluation_transform(*architectures.evaluation_size(architecture)))
