"""The architectures of the published suite. Their modules have the same names as in the published checkpoints."""

from collections.abc import Callable

from torch import nn

from cortexscale.errors import InputError
from cortexscale.models.architectures.cornet import cornet_s
from cortexscale.models.architectures.flex import convnext_flex, deit, resnet_flex, vit_flex
from cortexscale.models.spvvs import FLEX, NAMED
from cortexscale.models.vision import torchvision

ARCHITECTURES = tuple(arch for grid in (NAMED, FLEX) for archs in grid.values() for arch in archs)

_SIZES = {"efficientnet_b1": (255, 240), "efficientnet_b2": (288, 288)}
_FLEX: dict[str, Callable[[str, int], nn.Module]] = {
    "resnetflexfilters-": resnet_flex,
    "resnetflexfilters_": resnet_flex,
    "convnextflex-": convnext_flex,
    "deitflex-": vit_flex,
}


def build(arch: str, classes: int) -> nn.Module:
    """Build an architecture of the suite with random weights, in training mode.

    If torchvision or timm has the architecture, its network is used. ConvNeXt and EfficientNet keep torchvision's stochastic
    depth. An unknown architecture raises an InputError.
    """
    if arch not in ARCHITECTURES:
        named = ", ".join(arch for archs in NAMED.values() for arch in archs)
        where = f"architecture {arch}"
        expected = f"one of {named}, or a flex architecture such as {', '.join(archs[0] for archs in FLEX.values())}"
        raise InputError(where, "a name that is not in the published suite", expected, "correct the name, or use the source timm")
    for prefix, flex in _FLEX.items():
        if arch.startswith(prefix):
            return flex(arch.removeprefix(prefix), classes)
    if arch == "cornet_s":
        return cornet_s(classes)
    if arch.startswith("deit_"):
        return deit(arch.removeprefix("deit_"), classes)
    return torchvision.models.get_model(arch, weights=None, num_classes=classes)


def evaluation_size(arch: str) -> tuple[int, int]:
    """Return two lengths in pixels: the shorter side of the resized image, and the side of the square that is cropped from it."""
    return _SIZES.get(arch, (256, 224))
