"""Build models of the published suite of Gokce & Schrimpf (2025)."""

from cortexscale.models import architectures
from cortexscale.models.backbone import Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.evaluation import evaluation_transform
from cortexscale.models.model import Model, PublishedBuilder


def build(model: Model, weights: bool) -> Backbone:
    """Build an architecture of the suite, with the evaluation of its authors."""
    builder = model.built_by(PublishedBuilder)
    network = architectures.build(builder.architecture, builder.classes)
    if weights:
        load_weights(network, model.weights_file, ema=model.ema)
    return Backbone(network, evaluation_transform(*architectures.evaluation_size(builder.architecture)))
