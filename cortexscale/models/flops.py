"""Cost of one forward pass, counted from shapes alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)
_POOLS = (nn.AdaptiveAvgPool2d,)
_WITH_WEIGHTS = (torch.ops.aten.convolution, torch.ops.aten.addmm, torch.ops.aten.mm)


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of a forward pass of one image, two per multiply-add.

    Attributes:
        products: FLOPs of convolutions and matrix products, including those between the tokens of an attention.
        published: FLOPs by the rule of the published tables (Gokce & Schrimpf, 2025), to whose compute axis scaling laws were
            fitted. That rule leaves out attention between tokens. It counts five multiply-adds for every element that is
            normalised and one for every element that is average-pooled.
        modules: ``products`` by module name; the name of the root is empty.
    """

    products: int
    published: int
    modules: dict[str, int]


def forward_flops(network: nn.Module, image: torch.Tensor) -> Flops:
    """Run ``network`` once and count its FLOPs; this costs next to nothing on the meta device.

    Neither count includes activations, biases, residual sums, soft-max, or max pooling.

    Args:
        network: in eval mode.
        image: (1, 3, height, width), on the network's device.
    """
    with (
        _elements_in(network, _NORMS) as normalised,
        _elements_in(network, _POOLS) as pooled,
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
    ):
        network(image)
    root, counts = type(network).__name__, counter.get_flop_counts()
    weighted = sum(counts.get("Global", {}).get(operation, 0) for operation in _WITH_WEIGHTS)
    return Flops(
        products=counter.get_total_flops(),
        published=weighted + 2 * (5 * sum(normalised) + sum(pooled)),
        modules={
            name.removeprefix(root).removeprefix("."): sum(by_operation.values())
            for name, by_operation in counts.items()
            if name != "Global"
        },
    )


@contextmanager
def _elements_in(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[list[int]]:
    """Collect the number of elements of every input that modules of these kinds get while the block runs."""
    elements: list[int] = []
    handles = [
        module.register_forward_hook(lambda _module, inputs, _output: elements.append(inputs[0].numel()))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    try:
        yield elements
    finally:
        for handle in handles:
            handle.remove()
