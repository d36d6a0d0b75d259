"""Families of varied depth and width (Gokce & Schrimpf, 2025).

Their networks are known architectures with other numbers of blocks or other widths. The name of an architecture says what is
varied. ``d-2-2-2-2`` gives the number of blocks in each stage. ``f-1-16-20-3`` divides widths by divisor number 3 of 20, which
are spaced geometrically from 1 to 16. ``l-0`` divides widths by the first divisor that is not 1.
"""

from typing import Any

import numpy as np
from torch import nn

from cortexscale.models.vision import timm, torchvision

_RESNET_WIDTHS = np.array([64, 64, 128, 256, 512])  # widths of the stem and of the stages
_CONVNEXT_WIDTHS, _CONVNEXT_BLOCKS = np.array([96, 192, 384, 768]), (3, 3, 9, 3)
_VIT_WIDTH, _VIT_HEADS = 384, 6


class ResNetFlex(torchvision.models.ResNet):  # type: ignore[misc]  # torchvision has no types
    """torchvision's ResNet of basic blocks. A stage without blocks is an identity.

    The first of the four stages must have a block. ``widths`` has the number of channels of the stem and of each stage.
    """

    def __init__(self, blocks: list[int], widths: list[int], classes: int) -> None:
        nn.Module.__init__(self)  # torchvision's own constructor fixes the widths
        self.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        width = widths[0]
        for stage, (count, channels) in enumerate(zip(blocks, widths[1:], strict=True), start=1):
            self.add_module(f"layer{stage}", _stage(width, channels, count, stride=1 if stage == 1 else 2))
            width = channels if count else width
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Module:
    if not blocks:
        return nn.Identity()
    shortcut = None
    if stride > 1:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
    block = torchvision.models.resnet.BasicBlock
    return nn.Sequential(block(inputs, outputs, stride, shortcut), *(block(outputs, outputs) for _ in range(blocks - 1)))


def resnet_flex(config: str, classes: int) -> ResNetFlex:
    """Build a ResNet of basic blocks.

    ``d-<blocks of four stages>`` has the widths of ResNet-18. ``f-<start>-<stop>-<count>-<index>`` has twice these widths,
    divided by a divisor and truncated. ``wr-<scale>-<start>-<stop>-<count>-<index>`` has the widths of ResNet-18 times ``scale``,
    divided by a divisor and rounded to multiples of eight.
    """
    mode, *parts = config.split("-")
    numbers = [int(part) for part in parts]
    if mode == "d":
        return ResNetFlex(numbers, _RESNET_WIDTHS.tolist(), classes)
    scale, start, stop, count, index = [2, *numbers] if mode == "f" else numbers
    widths = scale * _RESNET_WIDTHS / np.geomspace(start, stop, count)[index]
    widths = widths.astype(int) if mode == "f" else _round(widths, 8)
    return ResNetFlex([2, 2, 2, 2], widths.tolist(), classes)


def convnext_flex(config: str, classes: int) -> nn.Module:
    """Build torchvision's ConvNeXt-Tiny without stochastic depth.

    Its widths are divided by the divisor of ``config``, and rounded to multiples of eight.
    """
    widths = _round(_CONVNEXT_WIDTHS / _divisor(config), 8).tolist()
    stage = torchvision.models.convnext.CNBlockConfig
    stages = [stage(*each) for each in zip(widths, [*widths[1:], None], _CONVNEXT_BLOCKS, strict=True)]
    return torchvision.models.ConvNeXt(stages, num_classes=classes)


def vit_flex(config: str, classes: int) -> nn.Module:
    """Build timm's DeiT-III-Small.

    Its width is divided by the divisor of ``config``, and rounded to a multiple of six, the number of heads.
    """
    width = int(_round(_VIT_WIDTH / _divisor(config), _VIT_HEADS))
    return deit("small", classes, embed_dim=width)


def deit(size: str, classes: int, **arguments: Any) -> nn.Module:
    """Build timm's DeiT-III with patches of 16 pixels and an input of 224 pixels.

    timm has no size ``tiny``. It is built as ``small`` with half the width and half the heads.
    """
    if size == "tiny":
        size, arguments = "small", {"embed_dim": _VIT_WIDTH // 2, "num_heads": _VIT_HEADS // 2}
    return timm.create_model(f"deit3_{size}_patch16_224", num_classes=classes, init_values=1e-4, **arguments)


def _divisor(config: str) -> float:
    """Return the divisor of the widths of ConvNeXt-Tiny or DeiT-III-Small."""
    return np.geomspace(1, 8, 5)[1:][int(config.removeprefix("l-"))]


def _round(widths: np.ndarray | float, multiple: int) -> np.ndarray:
    return np.round(np.asarray(widths) / multiple).astype(int) * multiple
