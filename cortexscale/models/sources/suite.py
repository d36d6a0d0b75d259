"""Build models that are trained here: timm architectures of a chosen size, or architectures of the published suite."""

from pathlib import Path
from typing import Any

from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import BILINEAR, evaluation_transform
from cortexscale.models.sources import spvvs, timm


def build(model: dict[str, Any], weights: bool) -> Backbone:
    """Build the network of ``builder``: as in ``spvvs``, with its evaluation, or a timm network with ``image_size``."""
    builder = model["builder"]
    if "timm" in builder:
        backbone = Backbone(timm.create(model), evaluation_transform(builder["image_size"], builder["image_size"], BILINEAR))
    else:
        backbone = spvvs.build(model, weights=False)
    if weights:
        load_weights(backbone.network, Path(model["checkpoint"]))
    return backbone
