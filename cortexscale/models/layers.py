"""Candidate layers of a network: their names, depths, and outputs during a forward pass."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cortexscale.errors import InputError, suggestions
from cortexscale.models.backbone import Backbone
from cortexscale.models.outputs import activations


@dataclass(frozen=True)
class Layer:
    """A module of a network.

    Attributes:
        position: number of the last module within this one. Modules are numbered in definition order, as in published
            commitments.
        depth: position relative to the deepest candidate layer, in (0, 1].
    """

    name: str
    position: int
    depth: float


def candidate_layers(network: nn.Module, patterns: Sequence[str]) -> list[Layer]:
    """Find the modules whose whole name matches a pattern, from shallow to deep.

    A pattern without a match raises an InputError.
    """
    names = [name for name, _ in network.named_modules()]
    for pattern in patterns:
        if not any(re.fullmatch(pattern, name) for name in names):
            found = f"no match among the {len(names)} modules of {type(network).__name__}"
            expected = "a regular expression that matches whole module names, such as " + ", ".join(names[1:4])
            raise InputError(f"layer pattern {pattern}", found, expected, "correct `layers` of this model in the config")
    last: dict[str, int] = {}
    for position, name in enumerate(names):
        parts = name.split(".")
        for end in range(len(parts) + 1):
            last[".".join(parts[:end])] = position
    chosen = [name for name in names if name and any(re.fullmatch(pattern, name) for pattern in patterns)]
    deepest = max(last[name] for name in chosen)
    return sorted((Layer(name, last[name], last[name] / deepest) for name in chosen), key=lambda layer: layer.position)


def modules_behind(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """List the modules that are defined after the deepest candidate layer, such as the classifier.

    If there is no candidate layer, the list is empty.
    """
    names = [name for name, _ in network.named_modules()]
    chosen = [name for name in names if name and any(re.fullmatch(pattern, name) for pattern in patterns)]
    within = [place for place, name in enumerate(names) if any(name == one or name.startswith(f"{one}.") for one in chosen)]
    return names[within[-1] + 1 :] if within else []


def chosen_layers(candidates: Sequence[Layer], names: Iterable[str], where: str, remedy: str | None = None) -> list[Layer]:
    """Select the candidate layers with these names, from shallow to deep. An unknown name raises an InputError."""
    wanted, known = set(names), [layer.name for layer in candidates]
    unknown = sorted(wanted.difference(known))
    if unknown:
        found = f"{len(unknown)} layer(s) that are not candidates: {', '.join(unknown[:8])}"
        expected = f"names among the {len(known)} candidate layers: {suggestions(unknown[0], known)}"
        remedy = remedy or "widen `layers` of this model in the config, or take commitments of this architecture"
        raise InputError(where, found, expected, remedy)
    return [layer for layer in candidates if layer.name in wanted]


def flat_copy(_name: str, output: torch.Tensor) -> torch.Tensor:
    """Copy an output to (batch, features), because a later ReLU or residual sum may change it in place."""
    return output.detach().clone().flatten(1)


@contextmanager
def captured(
    network: nn.Module,
    names: Sequence[str],
    process: Callable[[str, torch.Tensor], Any] = flat_copy,
    errors: dict[str, InputError] | None = None,
) -> Iterator[dict[str, Any]]:
    """Collect ``process(name, output)`` of modules during forward passes, and yield the results by module name.

    If a module runs several times in one pass, as a recurrent block does, its last output is kept. If an output is a tuple, its
    first tensor is kept. A stage and its last block put out the same tensor and share one result, except in
    ``torch.inference_mode``, where this cannot be detected. After the first pass, only the last step of a recurrent block is
    processed. A block that runs fewer steps than in the previous pass therefore has no output.

    If :func:`~cortexscale.models.outputs.activations` finds no tensor in an output, an InputError is raised or, if ``errors`` is
    given, stored in it under the name of the module.
    """
    modules = dict(network.named_modules())
    outputs: dict[str, Any] = {}
    steps: Counter[str] = Counter()
    steps_before: Counter[str] = Counter()
    latest: tuple[torch.Tensor, int, Any] | None = None

    def begin(_network: nn.Module, _inputs: object) -> None:
        nonlocal steps, steps_before
        steps_before, steps = steps, Counter()
        outputs.clear()

    def hook_of(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: Any) -> None:
            nonlocal latest
            steps[name] += 1
            if steps[name] < steps_before[name]:
                return
            try:
                tensor = activations(output, f"layer {name} of a {type(network).__name__}")
            except InputError as error:
                if errors is None:
                    raise
                errors[name] = error
                return
            if tensor.is_inference():
                outputs[name] = process(name, tensor)
                return
            if latest is None or latest[0] is not tensor or latest[1] != tensor._version:
                latest = tensor, tensor._version, process(name, tensor)
            outputs[name] = latest[2]

        return hook

    with ExitStack() as hooks:
        for name in names:
            hooks.enter_context(modules[name].register_forward_hook(hook_of(name)))
        hooks.enter_context(network.register_forward_pre_hook(begin))
        yield outputs


def output_shapes(backbone: Backbone, names: Sequence[str], image: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """Return the shapes of modules' outputs for one image, such as (tokens, channels) or (channels, height, width).

    ``image`` is a transformed image (3, height, width). The network is moved to the device of the image.
    """
    first = 0 if backbone.stacked else 1
    network = backbone.network.to(image.device)
    with torch.inference_mode(), captured(network, names, lambda _name, output: tuple(output.shape[first:])) as shapes:
        network(image[None])
    return {name: shapes[name] for name in names}


def layer_widths(backbone: Backbone, names: Sequence[str], image: torch.Tensor) -> list[int]:
    """Return the number of activations of each layer.

    ``image`` is a transformed image (1, 3, height, width) on the device of the network.
    """
    with torch.no_grad(), captured(backbone.network, names) as outputs:
        backbone.network(image)
    return [backbone.rows(outputs[name], 1, name).shape[1] for name in names]
