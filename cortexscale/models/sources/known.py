"""Building of architectures of timm and of the published suite, with any weights."""

import torch
from torch import nn

from cortexscale.models import architectures
from cortexscale.models.backbone import Backbone, cannot_build
from cortexscale.models.inputs import BILINEAR, evaluation_transform
from cortexscale.models.model import Model, PublishedBuilder, TimmBuilder
from cortexscale.models.sources.fetching import fetching_remedy
from cortexscale.models.timm_names import unknown
from cortexscale.models.vision import timm


def build(model: Model, weights: bool) -> Backbone:
    """Build a network. If ``weights`` is true and the model has no checkpoint, timm fetches the weights.

    The transform resizes images to the model's image size. Without an image size, it is the transform with which the network's
    authors evaluate the network. In suites that are trained here, architectures of the published suite always keep their authors'
    transform. An InputError is raised if timm does not know the name or an argument, or cannot fetch the weights.
    """
    size, arch = model.image_size, ""
    if isinstance(model.builder, TimmBuilder):
        network = _timm_network(model, model.builder, weights and not model.checkpoint)
    else:
        arch = model.built_by(PublishedBuilder).architecture
        network = architectures.build(arch, model.built_by(PublishedBuilder).classes)
    if size and not (arch and model.source == "suite"):
        return Backbone(network, evaluation_transform(size, size, BILINEAR))
    if arch:
        return Backbone(network, evaluation_transform(*architectures.evaluation_size(arch)))
    settings = timm.data.resolve_model_data_config(network)
    with torch.device("cpu"):  # the transform makes tensors, but the network may be built on the meta device
        return Backbone(network, timm.data.create_transform(**settings, is_training=False))


def _timm_network(model: Model, builder: TimmBuilder, pretrained: bool) -> nn.Module:
    arguments = builder.arguments if builder.classes is None else builder.arguments | {"num_classes": builder.classes}
    try:
        return timm.create_model(builder.timm, pretrained=pretrained, **arguments)
    except Exception as error:  # the reader of a damaged file in the cache can raise any exception
        connect = "connect to the network once, where the jobs run or with HF_HOME on a disk that they share"
        other = connect if isinstance(error, OSError) else "see timm.list_models() for names, and the model's own arguments"
        name = None if timm.is_model(builder.timm) and not pretrained else unknown(builder.timm)
        raise cannot_build(model, error, name or fetching_remedy(error) or other) from None
