"""Building of networks by a function of the user. docs/example_model.py is an example."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cortexscale.code import line_of, load_module, stage_digest
from cortexscale.errors import InputError
from cortexscale.models.backbone import GREY, Backbone, DescribedTransform
from cortexscale.models.inputs import BILINEAR, evaluation_transform
from cortexscale.models.model import FunctionBuilder, Model
from cortexscale.models.outputs import described

_HELP = "see docs/models.md and docs/example_model.py"


def build(model: Model, weights: bool) -> Backbone:
    """Call the function that builds the network. The network is converted to eval mode and float32.

    An InputError is raised if the file has no such function, if the function, the transform or a forward pass fails, or if the
    function does not return a network. The error names the line of the file.
    """
    builder = model.built_by(FunctionBuilder)
    file = Path(builder.file)
    where = f"{builder.function} of {file}"
    with _faults(file, f"model {model.id}", f"a network from {where}"):
        network = _seeded(_function(file, builder.function), builder.arguments)
    for wrapper in ("_orig_mod", "module"):  # torch.compile and DataParallel keep the network there
        if type(network).__name__ in ("OptimizedModule", "DataParallel", "DistributedDataParallel"):
            network = getattr(network, wrapper, network)
    if isinstance(network, torch.jit.ScriptModule):
        remedy = f"return the network itself and not its TorchScript, which runs without its modules; {_HELP}"
        raise InputError(where, "a network in TorchScript, whose layers cannot be read", "a torch.nn.Module", remedy)
    if not isinstance(network, nn.Module):
        raise InputError(where, described(network), "a torch.nn.Module", f"return the network alone; {_HELP}")
    if any(isinstance(tensor, Tensor) and tensor.is_meta for tensor in network.state_dict().values()):
        raise InputError(where, "a network on the meta device, which holds no numbers", "a network with numbers", _HELP)
    network.eval().float()
    transform = _transform(file, builder.transform)
    with (
        _faults(file, f"model {model.id}", f"a network from {where} that takes images (n, 3, height, width)"),
        torch.inference_mode(),
    ):
        device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
        network(transform(GREY)[None].to(device))
    return Backbone(network, transform)


def _seeded(function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a function with fixed random numbers, so that every job of a study builds the same untrained network."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        numbers, others = np.random.get_state(), random.getstate()  # noqa: NPY002 (the user's code may draw from it)
        np.random.seed(0)  # noqa: NPY002
        random.seed(0)
        try:
            return function(**arguments)
        finally:
            np.random.set_state(numbers)  # noqa: NPY002
            random.setstate(others)


def _transform(file: Path, name: str | None) -> Callable[[Image.Image], Tensor]:
    if name is None:
        return evaluation_transform(256, 224, BILINEAR)
    where, function = f"transform {name} of {file}", _function(file, name)

    def checked(image: Image.Image) -> Tensor:
        with _faults(file, where, "a transform of any RGB image"):
            given = function(image)
        if not (isinstance(given, Tensor) and given.ndim == 3 and len(given) == 3):
            found = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
            raise InputError(where, found, "a (3, height, width) tensor for one RGB image", _HELP)
        return given

    size = checked(GREY).shape

    def transform(image: Image.Image) -> Tensor:
        given = checked(image)
        if given.shape != size:
            found = (
                f"shape {tuple(given.shape)} for an image of {image.width} x {image.height} pixels, and {tuple(size)} for another"
            )
            raise InputError(where, found, "one size for all images", "resize to a fixed height and width, or cut out the centre")
        return given

    return DescribedTransform(transform, f"{name} of {file.name}, {stage_digest(file, file)}")


@contextmanager
def _faults(file: Path, where: str, expected: str) -> Iterator[None]:
    """Turn the errors of the user's code into an InputError that names the line of the file."""
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        found = f"{type(error).__name__}: {str(error)[:500]}{line_of(file, error)}"
        raise InputError(where, found, expected, f"correct the file; {_HELP}") from error


def _function(file: Path, name: str) -> Callable[..., Any]:
    found = getattr(load_module(file, "config key `models: - source: python: file`"), name, None)
    if not callable(found):
        raise InputError(file, f"no function {name}", "the functions that the config names", _HELP)
    return found
