"""What a network costs per image and how wide its layers are: counted where it can be built, else assumed by family."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cortexscale.models.inventory import Model


@dataclass(frozen=True)
class Network:
    """FLOPs of one forward pass of one image, and the width of every candidate layer."""

    flops: float
    widths: tuple[int, ...]
    assumed: bool = False


def _like(flops: float, layers: int, width: int) -> Network:
    return Network(flops, (width,) * layers, assumed=True)


FAMILIES = {
    "AlexNet": _like(1.4e9, 21, 52_000),
    "CORnet-S": _like(33e9, 4, 94_000),
    "ResNet": _like(11.6e9, 30, 209_000),
    "EfficientNet": _like(1.1e9, 81, 140_000),
    "ConvNeXt": _like(31e9, 49, 156_000),
    "ViT": _like(42e9, 76, 117_000),
    "ResNetFlex": _like(6e9, 13, 87_000),
    "ConvNeXtFlex": _like(1.3e9, 30, 60_000),
    "ViTFlex": _like(1.2e9, 61, 25_000),
}
"""Published suites, whose networks cannot be built: about the mean over the architectures of a family at 224 pixels, from
networks of the same names in torchvision and timm. Widths and layers of the flex families are guesses."""


def networks(models: Iterable[Model]) -> dict[str, Network]:
    """The network of every model by id. Architectures that can be built are, without weights or data, once each.

    Raises:
        InputError: an architecture cannot be built, or a layer pattern matches nothing.
    """
    counted: dict[str, Network] = {}
    sizes = {}
    for model in models:
        if model.source == "spvvs":
            sizes[model.id] = FAMILIES[model.family]
            continue
        key = json.dumps([model.builder, model.layers], sort_keys=True)
        if key not in counted:
            counted[key] = _count(model.as_dict())
        sizes[model.id] = counted[key]
    return sizes


def _count(model: dict[str, Any]) -> Network:
    import torch

    from cortexscale.models.build import build_architecture
    from cortexscale.models.cards import architecture_cost
    from cortexscale.models.layers import candidate_layers, captured

    cost = architecture_cost(model)
    with torch.device("meta"), torch.no_grad():
        network = build_architecture(model)
        names = [layer.name for layer in candidate_layers(network, model["layers"])]
        with captured(network, names) as outputs:
            network(torch.empty(1, 3, cost["image_size"], cost["image_size"]))
    return Network(cost["backbone_flops"], tuple(outputs[name].shape[1] for name in names))
