"""Sizes of a network, counted in one forward pass."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cortexscale.models.backbone import Backbone
from cortexscale.models.bounds import Network
from cortexscale.models.flops import forward_flops
from cortexscale.models.layers import captured


def count_network(backbone: Backbone, image: Tensor, widths: Sequence[int]) -> Network:
    """Count the sizes of a network whose candidate layers have these widths.

    Args:
        image: (1, 3, height, width), on the network's device.
        widths: activations of each candidate layer for one image.
    """
    network = backbone.network
    modules = [name for name, module in network.named_modules() if name and not any(module.children())]
    outputs: list[int] = []
    with torch.no_grad(), captured(network, modules, lambda _name, output: outputs.append(output.numel())):
        flops = forward_flops(network, image).products
    return Network(flops, tuple(widths), sum(parameter.numel() for parameter in network.parameters()), max(outputs, default=0))
