"""CORnet-S (Kubilius et al., 2019): a network of four areas, three of which are recurrent."""

import math
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

STEPS = {"V2": 2, "V4": 4, "IT": 2}
"""Number of time steps of each recurrent area."""
EXPANSION = 4
"""Number of channels inside a block, divided by the number of its output channels."""


class StridedConv2d(nn.Conv2d):
    """A convolution with its stride as an argument of the call, so that a call does not change the state of the module."""

    def forward(self, x: torch.Tensor, stride: int) -> torch.Tensor:  # type: ignore[override]
        return functional.conv2d(x, self.weight, stride=stride, padding=self.padding)


class RecurrentArea(nn.Module):
    """A bottleneck block that runs for several time steps, each on the output of the previous step.

    The first step halves the resolution. All steps share the convolutions, but each step has its own batch norms. A hook on
    ``output`` is called at every step. A hook on the area is called once, at the end.
    """

    def __init__(self, inputs: int, outputs: int, steps: int) -> None:
        super().__init__()
        self.steps, inner = steps, EXPANSION * outputs
        self.conv_input = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.skip = nn.Conv2d(outputs, outputs, 1, stride=2, bias=False)
        self.norm_skip = nn.BatchNorm2d(outputs)
        self.conv1, self.nonlin1 = nn.Conv2d(outputs, inner, 1, bias=False), nn.ReLU(inplace=True)
        self.conv2, self.nonlin2 = StridedConv2d(inner, inner, 3, padding=1, bias=False), nn.ReLU(inplace=True)
        self.conv3, self.nonlin3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.ReLU(inplace=True)
        self.output = nn.Identity()
        for step in range(steps):
            for number, channels in enumerate((inner, inner, outputs), start=1):
                self.add_module(f"norm{number}_{step}", nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run all time steps on x (batch, inputs, height, width). Return (batch, outputs, height / 2, width / 2)."""
        x = self.conv_input(x)
        for step in range(self.steps):
            norm1, norm2, norm3 = (getattr(self, f"norm{number}_{step}") for number in (1, 2, 3))
            skip = x if step else self.norm_skip(self.skip(x))
            x = self.nonlin1(norm1(self.conv1(x)))
            x = self.nonlin2(norm2(self.conv2(x, stride=1 if step else 2)))
            x = self.output(self.nonlin3(norm3(self.conv3(x)) + skip))
        return x


def cornet_s(classes: int) -> nn.Module:
    """Build CORnet-S with the module names of its checkpoints: ``V1``, ``V2``, ``V4``, ``IT``, ``decoder``."""
    v1 = OrderedDict(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        norm1=nn.BatchNorm2d(64),
        nonlin1=nn.ReLU(inplace=True),
        pool=nn.MaxPool2d(3, stride=2, padding=1),
        conv2=nn.Conv2d(64, 64, 3, padding=1, bias=False),
        norm2=nn.BatchNorm2d(64),
        nonlin2=nn.ReLU(inplace=True),
        output=nn.Identity(),
    )
    areas = {area: RecurrentArea(64 * 2**level, 128 * 2**level, steps) for level, (area, steps) in enumerate(STEPS.items())}
    decoder = OrderedDict(
        avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(512, classes), output=nn.Identity()
    )
    network = nn.Sequential(OrderedDict(V1=nn.Sequential(v1), **areas, decoder=nn.Sequential(decoder)))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels)))
    return network
