"""Build models from a user's own weights in a known architecture, of the published suite or of timm."""

from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import BILINEAR, evaluation_transform
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.sources import spvvs, timm


def build(model: Model, weights: bool) -> Backbone:
    """Build the architecture, with its own evaluation unless the model has an image size."""
    backbone = (timm if isinstance(model.builder, TimmBuilder) else spvvs).build(model, weights=False)
    if weights:
        load_weights(backbone.network, model.weights_file, ema=model.ema)
    size = model.image_size
    return Backbone(backbone.network, evaluation_transform(size, size, BILINEAR)) if size else backbone
