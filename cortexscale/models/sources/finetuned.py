"""Build fine-tuned models: the network of the base model, from any source, with new weights."""

from cortexscale.models.backbone import Backbone
from cortexscale.models.build import build_backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.model import Model, TunedBuilder


def build(model: Model, weights: bool) -> Backbone:
    """Build the network of the base model, and give it the weights of the fine-tuned one."""
    backbone = build_backbone(model.built_by(TunedBuilder).base)
    if weights:
        load_weights(backbone.network, model.weights_file)
    return backbone
