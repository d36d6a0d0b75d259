"""Networks, ready for extraction: architecture, weights and the transform that their images need."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from cortexscale.errors import InputError
from cortexscale.models.training import MEAN, STD
from cortexscale.models.vision import timm, transforms


def build_architecture(model: dict[str, Any]) -> nn.Module:
    """The network of an inventory entry (:class:`cortexscale.models.inventory.Model` as a dict), without trained weights.

    Raises:
        InputError: the source cannot be built.
    """
    if model["source"] == "spvvs":
        raise InputError(
            f"model {model['id']}",
            "source spvvs",
            "a source that this release can build: suite or timm",
            "plan with -n; running published checkpoints is not supported yet",
        )
    try:
        return timm.create_model(model["builder"]["timm"], **model["builder"]["arguments"]).eval()
    except (RuntimeError, TypeError) as error:
        raise InputError(f"model {model['id']}", str(error), "a timm name and arguments", "see timm.list_models()") from None


def load_network(model: dict[str, Any]) -> nn.Module:
    """The network of an inventory entry with its trained weights, in eval mode.

    Raises:
        InputError: the checkpoint is missing, unreadable, or belongs to another architecture.
    """
    if model["checkpoint"] is None:
        return timm.create_model(model["builder"]["timm"], pretrained=True).eval()
    path = Path(model["checkpoint"])
    try:
        network = build_architecture(model)
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(
            path,
            f"{type(error).__name__}: {str(error)[:300]}",
            f"a checkpoint of {model['arch']}",
            "delete it and train or fetch it again",
        ) from None
    return network


def image_transform(model: dict[str, Any], network: nn.Module) -> Callable[[Image.Image], torch.Tensor]:
    """From an RGB picture to the (3, height, width) input of the network, as its authors evaluate it."""
    if model["source"] == "timm":
        return timm.data.create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
    size = model["builder"]["image_size"]
    return transforms.Compose(
        [transforms.Resize(size), transforms.CenterCrop(size), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )


def weights_hash(network: nn.Module) -> str:
    """Content hash of all parameters and buffers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data if tensor.ndim else tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
