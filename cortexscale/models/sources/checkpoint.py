"""Build models from a user's own weights in a known architecture, of the published suite or of timm."""

from pathlib import Path
from typing import Any

from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import BILINEAR, evaluation_transform
from cortexscale.models.sources import spvvs, timm


def build(model: dict[str, Any], weights: bool) -> Backbone:
    """Build the network of ``builder``, as in ``spvvs`` or ``timm``, with ``ema`` and ``image_size`` (None: the usual one)."""
    builder = model["builder"]
    backbone = (timm if "timm" in builder else spvvs).build(model, weights=False)
    if weights:
        load_weights(backbone.network, Path(model["checkpoint"]), ema=builder["ema"])
    size = builder["image_size"]
    return Backbone(backbone.network, evaluation_transform(size, size, BILINEAR)) if size else backbone
