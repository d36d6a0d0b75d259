"""Build models that are trained here: timm architectures of a chosen size, or architectures of the published suite."""

from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import BILINEAR, evaluation_transform
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.sources import spvvs, timm


def build(model: Model, weights: bool) -> Backbone:
    """Build an architecture of the published suite, with its evaluation, or one of timm, at the image size of the model."""
    if isinstance(model.builder, TimmBuilder):
        assert model.image_size is not None, "suites have an image size"
        backbone = Backbone(timm.create(model), evaluation_transform(model.image_size, model.image_size, BILINEAR))
    else:
        backbone = spvvs.build(model, weights=False)
    if weights:
        load_weights(backbone.network, model.weights_file)
    return backbone
