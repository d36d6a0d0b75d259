"""Build the networks of models: architecture, weights and the transform that makes the input.

The ``source`` of a model names the module of :mod:`cortexscale.models.sources` that builds it. Each of these modules has one
function, ``build(model, weights) -> Backbone``.
"""

import hashlib
import importlib

import torch
from torch import Tensor, nn

from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.model import Model

SHAPES_ALONE = {"suite", "spvvs", "timm", "checkpoint"}
"""Sources whose networks run on the meta device, which has shapes but no numbers. Networks of other sources may need numbers."""


def load_backbone(model: Model) -> Backbone:
    """Build the network of an inventory entry with its trained weights, in eval mode.

    Raises:
        InputError: the network cannot be built, or the checkpoint is missing, unreadable, or of another architecture.
    """
    return _build(model, weights=True)


def load_network(model: Model) -> nn.Module:
    """Build the network of :func:`load_backbone` alone."""
    return load_backbone(model).network


def build_architecture(model: Model) -> nn.Module:
    """Build the network of an inventory entry with random weights, in eval mode.

    Raises:
        InputError: the network cannot be built.
    """
    return build_backbone(model).network


def build_backbone(model: Model) -> Backbone:
    """Build the backbone of an inventory entry with random weights; see :func:`load_backbone`."""
    return _build(model, weights=False)


def untrained(model: Model) -> tuple[Backbone, Tensor]:
    """Build the backbone of an inventory entry without trained weights, and the (1, 3, height, width) input of a grey image.

    Where the source allows it, both have shapes but no numbers. This is enough to count parameters and FLOPs, and to find the
    names and widths of layers, of a network of any size.

    Raises:
        InputError: the network cannot be built.
    """
    device = torch.device("meta" if model.source in SHAPES_ALONE else "cpu")
    with device:
        backbone = _build(model, weights=False)
    return backbone, backbone.transform(GREY)[None].to(device)


def weights_hash(network: nn.Module) -> str:
    """Hash the names and contents of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data if tensor.ndim else tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _build(model: Model, weights: bool) -> Backbone:
    source = importlib.import_module(f"cortexscale.models.sources.{model.source}")
    backbone = source.build(model, weights)
    backbone.network.eval()
    return backbone
