"""Candidate layers of a network: names, depth, and what they put out."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from cortexscale.errors import InputError


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


@contextmanager
def captured(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """Collect the outputs of modules during forward passes, flattened to (batch, features).

    A module that runs several times in one pass (a recurrent block) leaves its last output; a tuple its first tensor.
    """
    modules = dict(network.named_modules())
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            tensor = output[0] if isinstance(output, tuple | list) else output
            outputs[name] = tensor.detach().flatten(1)

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
