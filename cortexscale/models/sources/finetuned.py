"""Build fine-tuned models: the network of the base model, from any source, with new weights."""

from pathlib import Path
from typing import Any

from cortexscale.models.backbone import Backbone
from cortexscale.models.build import build_backbone
from cortexscale.models.checkpoints import load_weights


def build(model: dict[str, Any], weights: bool) -> Backbone:
    """Build the network of the inventory entry ``builder["base"]``."""
    backbone = build_backbone(model["builder"]["base"])
    if weights:
        load_weights(backbone.network, Path(model["checkpoint"]))
    return backbone
