"""Sizes of a network, counted in one forward pass. On the meta device this takes almost no time."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cortexscale.models.backbone import Backbone
from cortexscale.models.bounds import Network
from cortexscale.models.outputs import tensors_in

_COUNTED_BY_ELEMENT = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.AdaptiveAvgPool2d)
_WITH_WEIGHTS = (torch.ops.aten.convolution, torch.ops.aten.addmm, torch.ops.aten.mm)


@dataclass(frozen=True)
class Flops:
    """Numbers of floating-point operations of a forward pass of one image. A multiply-add counts as two operations.

    Attributes:
        products: FLOPs of convolutions and matrix products, including products between the tokens of attention.
        published: FLOPs by the rule of the published tables (Gokce & Schrimpf, 2025), which the compute axis of scaling laws
            uses. The rule leaves out attention between tokens. It counts five multiply-adds for every normalised element, and one
            for every average-pooled element.
        modules: ``products`` of each module by name. The name of the root is empty.
    """

    products: int
    published: int
    modules: dict[str, int]


def forward_flops(network: nn.Module, image: Tensor) -> Flops:
    """Count the FLOPs of a network in eval mode for one image (1, 3, height, width).

    Neither ``products`` nor ``published`` includes activations, biases, residual sums, soft-max, or max pooling.
    """
    by_element = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal by_element
        by_element += next(tensors_in((inputs, output))).numel() * (1 if isinstance(module, nn.AdaptiveAvgPool2d) else 5)

    with ExitStack() as hooks, FlopCounterMode(display=False) as counter, torch.no_grad():
        for module in network.modules():
            if isinstance(module, _COUNTED_BY_ELEMENT):
                hooks.enter_context(module.register_forward_hook(count))
        network(image)
    root, counts = type(network).__name__, counter.get_flop_counts()
    weighted = sum(counts.get("Global", {}).get(operation, 0) for operation in _WITH_WEIGHTS)
    modules = {
        name.removeprefix(root).removeprefix("."): sum(by_operation.values())
        for name, by_operation in counts.items()
        if name != "Global"
    }
    return Flops(counter.get_total_flops(), weighted + 2 * by_element, modules)


def n_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def count_network(backbone: Backbone, image: Tensor, widths: Sequence[int]) -> Network:
    """Count the sizes of a network for one image (1, 3, height, width). ``widths`` are the widths of the candidate layers."""
    network = backbone.network
    modules = [module for name, module in network.named_modules() if name and not any(module.children())]
    outputs: list[int] = []
    with ExitStack() as hooks:
        for module in modules:
            hook = module.register_forward_hook(lambda _m, _i, output: outputs.extend(t.numel() for t in tensors_in(output)))
            hooks.enter_context(hook)
        flops = forward_flops(network, image).products
    return Network(flops, tuple(widths), n_parameters(network), max(outputs, default=0))


def saved_activations(backbone: Backbone, image: Tensor) -> int:
    """Count the values, other than weights, that autograd keeps for the backward pass of one image (1, 3, height, width)."""
    kept: dict[int, tuple[Tensor, int]] = {}
    parameters = {id(parameter) for parameter in backbone.network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        whole = tensor if tensor._base is None else tensor._base  # views share memory
        if id(whole) not in parameters:
            kept[id(whole)] = whole, whole.numel()
        return tensor

    backbone.network.train()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        backbone.network(image.repeat(2, 1, 1, 1))  # batch normalisation needs two values per channel
    backbone.network.eval()
    return sum(numbers for _, numbers in kept.values()) // 2
