"""Networks by inventory entry: architecture, weights and the transform that their images need.

An entry is a :class:`cortexscale.models.inventory.Model` as a dict. Its ``source`` names the module of
:mod:`cortexscale.models.sources` that builds it; each has one function, ``build(model, weights) -> Backbone``.
"""

import hashlib
import importlib
from typing import Any

import torch
from torch import Tensor, nn

from cortexscale.models.backbone import GREY, Backbone

SHAPES_ALONE = {"suite", "spvvs", "timm", "checkpoint"}
"""Sources whose networks run on the meta device, which has shapes and no numbers. Others may look at numbers on their way."""


def load_backbone(model: dict[str, Any]) -> Backbone:
    """The network of an inventory entry with its trained weights, in eval mode.

    Raises:
        InputError: it cannot be built, or the checkpoint is missing, unreadable, or of another architecture.
    """
    return _build(model, weights=True)


def load_network(model: dict[str, Any]) -> nn.Module:
    """The network of :func:`load_backbone`."""
    return load_backbone(model).network


def build_architecture(model: dict[str, Any]) -> nn.Module:
    """The network of an inventory entry without trained weights, in eval mode.

    Raises:
        InputError: it cannot be built.
    """
    return build_backbone(model).network


def build_backbone(model: dict[str, Any]) -> Backbone:
    """As :func:`load_backbone`, with random weights."""
    return _build(model, weights=False)


def untrained(model: dict[str, Any]) -> tuple[Backbone, Tensor]:
    """The backbone of an inventory entry without trained weights, and the (1, 3, height, width) input of a grey picture.

    Both have shapes alone, where the source allows it: parameters, FLOPs, and names and widths of layers follow for a
    network of any size.

    Raises:
        InputError: it cannot be built.
    """
    device = torch.device("meta" if model["source"] in SHAPES_ALONE else "cpu")
    with device:
        backbone = _build(model, weights=False)
    return backbone, backbone.transform(GREY)[None].to(device)


def weights_hash(network: nn.Module) -> str:
    """Content hash of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data if tensor.ndim else tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _build(model: dict[str, Any], weights: bool) -> Backbone:
    source = importlib.import_module(f"cortexscale.models.sources.{model['source']}")
    backbone = source.build(model, weights)
    backbone.network.eval()
    return backbone
