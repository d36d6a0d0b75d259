"""Build pretrained models of timm, with the transforms of their authors."""

import torch
from torch import nn

from cortexscale.models.backbone import Backbone, cannot_build
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.vision import timm


def build(model: Model, weights: bool) -> Backbone:
    """Build a pretrained network, whose weights timm fetches."""
    network = create(model, pretrained=weights)
    settings = timm.data.resolve_model_data_config(network)
    with torch.device("cpu"):  # the transform makes tensors, and the network may be built on the meta device
        return Backbone(network, timm.data.create_transform(**settings, is_training=False))


def create(model: Model, pretrained: bool = False) -> nn.Module:
    """Create a timm network.

    Raises:
        InputError: timm does not know the name or an argument, or cannot fetch the weights.
    """
    builder = model.built_by(TimmBuilder)
    arguments = builder.arguments if builder.classes is None else builder.arguments | {"num_classes": builder.classes}
    try:
        return timm.create_model(builder.timm, pretrained=pretrained, **arguments)
    except (RuntimeError, TypeError, ValueError) as error:
        raise cannot_build(model, error, "see timm.list_models() for names, and the model's own arguments") from None
    except OSError as error:
        remedy = "connect to the network once, where the jobs run or with HF_HOME on a disk that they share"
        raise cannot_build(model, error, remedy) from None
