"""Count, from shapes alone, what a forward pass leaves in memory for the backward pass."""

import torch
from torch import Tensor

from cortexscale.models.backbone import Backbone


def saved_activations(backbone: Backbone, image: Tensor) -> int:
    """Number of values that autograd keeps for one image, without weights.

    Args:
        backbone, image: result of :func:`cortexscale.models.build.untrained`; the image is (1, 3, height, width).
    """
    kept: dict[int, tuple[Tensor, int]] = {}
    parameters = {id(parameter) for parameter in backbone.network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        whole = tensor if tensor._base is None else tensor._base  # views share memory
        if id(whole) not in parameters:
            kept[id(whole)] = whole, whole.numel()
        return tensor

    backbone.network.train()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        backbone.network(image.repeat(2, 1, 1, 1))  # batch normalisation refuses a single value per channel
    backbone.network.eval()
    return sum(numbers for _, numbers in kept.values()) // 2
