"""Candidate layers of a network: names, depth, and what they put out."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cortexscale.errors import InputError
from cortexscale.models.backbone import Backbone


@dataclass(frozen=True)
class Layer:
    """A module of a network.

    ``position`` counts modules in definition order up to the last descendant of this one, as in the published
    commitments; ``depth`` is the position relative to the deepest candidate, in (0, 1].
    """

    name: str
    position: int
    depth: float


def candidate_layers(network: nn.Module, patterns: Sequence[str]) -> list[Layer]:
    """Modules whose whole name matches one of the regular expressions, from shallow to deep.

    Raises:
        InputError: a pattern matches nothing.
    """
    names = [name for name, _ in network.named_modules()]
    for pattern in patterns:
        if not any(re.fullmatch(pattern, name) for name in names):
            raise InputError(
                f"layer pattern {pattern}",
                f"no match among the {len(names)} modules of {type(network).__name__}",
                "a regular expression that matches whole module names, such as " + ", ".join(names[1:4]),
                "correct `layers` of this model in the config",
            )
    last = {}
    for position, name in enumerate(names):
        parts = name.split(".")
        for end in range(len(parts) + 1):
            last[".".join(parts[:end])] = position
    chosen = [name for name in names if name and any(re.fullmatch(pattern, name) for pattern in patterns)]
    deepest = max(last[name] for name in chosen)
    return sorted((Layer(name, last[name], last[name] / deepest) for name in chosen), key=lambda layer: layer.position)


def chosen_layers(candidates: Sequence[Layer], names: Iterable[str], where: str) -> list[Layer]:
    """The candidates of these names, from shallow to deep.

    Args:
        where: who asks for them, for messages.

    Raises:
        InputError: a name is not among the candidates.
    """
    wanted = set(names)
    unknown = sorted(wanted - {layer.name for layer in candidates})
    if unknown:
        known = ", ".join(layer.name for layer in candidates[:5])
        raise InputError(
            where,
            f"{len(unknown)} layer(s) that are no candidates: {', '.join(unknown[:8])}",
            f"names among the {len(candidates)} candidate layers: {known}, ...",
            "widen `layers` of this model in the config, or take commitments of this architecture",
        )
    return [layer for layer in candidates if layer.name in wanted]


def flat_copy(_name: str, output: torch.Tensor) -> torch.Tensor:
    """(batch, features) that no ReLU or residual sum changes which works in place after the hook has seen it."""
    return output.detach().clone().flatten(1)


@contextmanager
def captured(
    network: nn.Module, names: Sequence[str], kept: Callable[[str, torch.Tensor], Any] = flat_copy
) -> Iterator[dict[str, Any]]:
    """Collect from modules, during forward passes, what ``kept(name, output)`` makes of their outputs.

    A module that runs several times in one pass (a recurrent block) leaves its last output; a tuple its first tensor. A stage
    whose output is that of its last block leaves the same object, outside ``torch.inference_mode``, where this can be seen.

    Args:
        kept: called as soon as a module has run. From the second pass on it is not called for the earlier steps of a
            recurrent block: one that makes fewer steps than in the pass before leaves nothing.
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

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            nonlocal latest
            steps[name] += 1
            if steps[name] < steps_before[name]:
                return
            tensor = _first(output)
            if tensor.is_inference():
                outputs[name] = kept(name, tensor)
                return
            if latest is None or latest[0] is not tensor or latest[1] != tensor._version:
                latest = tensor, tensor._version, kept(name, tensor)
            outputs[name] = latest[2]

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    handles.append(network.register_forward_pre_hook(begin))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def output_shapes(backbone: Backbone, names: Sequence[str], picture: torch.Tensor) -> dict[str, tuple[int, ...]]:
    """What modules put out for one transformed picture, such as (tokens, channels) or (channels, height, width).

    Args:
        picture: on the device that the network is moved to.
    """
    network = backbone.network.to(picture.device)
    modules, shapes = dict(network.named_modules()), {}
    first = 0 if backbone.stacked else 1
    handles = [
        modules[name].register_forward_hook(lambda _m, _i, output, name=name: shapes.update({name: _first(output).shape[first:]}))
        for name in names
    ]
    try:
        with torch.inference_mode():
            network(picture[None])
    finally:
        for handle in handles:
            handle.remove()
    return {name: tuple(shapes[name]) for name in names}


def _first(output: object) -> torch.Tensor:
    return output[0] if isinstance(output, tuple | list) else output
