"""Building of networks by a function of the user. docs/example_model.py is an example."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from cortexscale.code import load_module, stage_digest
from cortexscale.errors import InputError
from cortexscale.models.backbone import GREY, Backbone, DescribedTransform, cannot_build
from cortexscale.models.inputs import BILINEAR, evaluation_transform
from cortexscale.models.model import FunctionBuilder, Model

_HELP = "see docs/models.md and docs/example_model.py"


def build(model: Model, weights: bool) -> Backbone:
    """Call the function that builds the network.

    An InputError is raised if the file has no such function, if the function fails, or if it does not return a network.
    """
    builder = model.built_by(FunctionBuilder)
    file = Path(builder.file)
    try:
        network = _function(file, builder.function)(**builder.arguments)
    except InputError:
        raise
    except Exception as error:
        raise cannot_build(model, error, f"correct {builder.function} in {file}; {_HELP}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{builder.function} of {file}", f"a {type(network).__name__}", "a torch.nn.Module", _HELP)
    return Backbone(network, _transform(file, builder.transform))


def _transform(file: Path, name: str | None) -> Callable[[Image.Image], Tensor]:
    if name is None:
        return evaluation_transform(256, 224, BILINEAR)
    function = _function(file, name)
    given = function(GREY)
    if not (isinstance(given, torch.Tensor) and given.ndim == 3 and len(given) == 3):
        found = f"shape {tuple(given.shape)}" if isinstance(given, torch.Tensor) else f"a {type(given).__name__}"
        raise InputError(f"{name} of {file}", found, "a (3, height, width) tensor for one RGB image", _HELP)
    return DescribedTransform(function, f"{name} of {file.name}, {stage_digest(file)}")


def _function(file: Path, name: str) -> Callable[..., Any]:
    found = getattr(load_module(file, "config key `models: - source: python: file`"), name, None)
    if not callable(found):
        raise InputError(file, f"no function {name}", "the functions that the config names", _HELP)
    return found
