"""Building of a model's network, with its weights and the transform that makes its input.

Each module of :mod:`cortexscale.models.sources` has a function ``build(model, weights) -> Backbone``. With ``weights``, this
function also fetches the weights of a model that has no checkpoint.
"""

import hashlib
import importlib

import torch
from torch import Tensor, nn

from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.layers import modules_behind
from cortexscale.models.model import Model, PublishedBuilder, TimmBuilder, TunedBuilder


def load_backbone(model: Model, *, classifier: bool = False) -> Backbone:
    """Build a model's network with its trained weights, in eval mode.

    Unless the ``classifier`` is needed, modules after the deepest candidate layer can be missing from the checkpoint.
    """
    backbone = _build(model, weights=True)
    if model.checkpoint:
        spare = () if classifier else modules_behind(backbone.network, model.layers)
        load_weights(backbone.network, model.checkpoint, ema=model.ema, weights_at=model.weights_at, spare=spare)
    return backbone


def build_backbone(model: Model) -> Backbone:
    """Build a model's network with random weights, in eval mode."""
    return _build(model, weights=False)


def untrained(model: Model) -> tuple[Backbone, Tensor]:
    """Build a network without trained weights, and its input (1, 3, height, width) for a grey image.

    Known architectures are on the meta device, where tensors have shapes but no values. Networks of any size can thus be counted.
    All other networks are on the CPU, because building them may need values.
    """
    device = torch.device("meta" if isinstance(model.builder, TimmBuilder | PublishedBuilder) else "cpu")
    with device:
        backbone = build_backbone(model)
    return backbone, backbone.transform(GREY)[None].to(device)


def weights_hash(network: nn.Module) -> str:
    """Return a hash of the names and values of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data if tensor.ndim else tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _build(model: Model, weights: bool) -> Backbone:
    if isinstance(model.builder, TunedBuilder):
        return build_backbone(model.builder.base)
    backbone = importlib.import_module(model.built_in).build(model, weights)
    backbone.network.eval()
    return backbone
