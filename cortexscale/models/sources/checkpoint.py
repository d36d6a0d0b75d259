"""A user's own weights in a known architecture: one of the published suite, or any of timm."""

from pathlib import Path
from typing import Any

from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import BILINEAR, evaluation_transform
from cortexscale.models.sources import spvvs, timm


def build(model: dict[str, Any], weights: bool) -> Backbone:
    """The network of ``builder``: as of ``spvvs`` or ``timm``, with ``ema`` and ``image_size`` (None: of the architecture)."""
    builder = model["builder"]
    backbone = (timm if "timm" in builder else spvvs).build(model, weights=False)
    if weights:
        load_weights(backbone.network, Path(model["checkpoint"]), ema=builder["ema"])
    size = builder["image_size"]
    return Backbone(backbone.network, evaluation_transform(size, size, BILINEAR)) if size else backbone
