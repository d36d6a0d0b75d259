"""Finds the activations in the output of a module, which is a tensor or a collection of tensors."""

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from cortexscale.errors import InputError


def activations(output: Any, where: str) -> Tensor:
    """Return the tensor of an output: the output itself, or the first tensor of a tuple or of an output of ``transformers``.

    A list, a dictionary or a collection within another one must hold exactly one tensor. An InputError that names the layer,
    ``where``, is raised if there is no tensor, if the choice is not clear, or if the tensor has no numbers that can be features.
    """
    tensor = _first(output, outermost=True)
    if tensor is None:
        expected, remedy = (
            "a tensor, or a tuple that begins with one",
            "leave this layer out of `layers`, or choose a module in it",
        )
        raise InputError(where, f"an output that is {described(output)}", expected, remedy)
    wrong = _not_numbers(tensor)
    if wrong:
        raise InputError(where, wrong, "a dense tensor of real numbers", "leave this layer out of `layers`")
    return tensor


def tensors_in(output: Any) -> Iterator[Tensor]:
    """Yield all tensors of an output."""
    if isinstance(output, Tensor):
        yield output
    for entry in _entries(output) or ():
        yield from tensors_in(entry)


def described(output: Any) -> str:
    """Say what an output is, with the shapes in it."""
    if isinstance(output, Tensor):
        return f"{tuple(output.shape)}"
    entries = _entries(output)
    if entries is None:
        return "None" if output is None else f"a {type(output).__name__}"
    return f"a {type(output).__name__} of {', '.join(map(described, entries[:4])) or 'nothing'}{', ...' * (len(entries) > 4)}"


def _entries(output: Any) -> list[Any] | None:
    if isinstance(output, Mapping):
        return list(output.values())
    if isinstance(output, tuple | list):
        return list(output)
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return [getattr(output, field.name) for field in dataclasses.fields(output)]
    return None


def _first(output: Any, outermost: bool = False) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    entries = [entry for entry in _entries(output) or () if entry is not None]
    ordered = outermost and type(output) not in (list, dict, OrderedDict) and not _pyramid(entries)
    return _first(entries[0]) if len(entries) == 1 or (entries and ordered) else None


def _pyramid(entries: list[Any]) -> bool:
    """Tell whether the entries are feature maps of several sizes, so that no single map can stand for all of them."""
    maps = [entry for entry in entries if isinstance(entry, Tensor) and entry.ndim == 4]
    return len(maps) == len(entries) and len({entry.shape[2:] for entry in maps}) > 1


def _not_numbers(tensor: Tensor) -> str:
    if tensor.is_nested or tensor.layout is not torch.strided:
        return f"a {'nested' if tensor.is_nested else 'sparse'} tensor"
    if not tensor.is_floating_point():
        return f"an output of {str(tensor.dtype).removeprefix('torch.')} numbers, {tuple(tensor.shape)}"
    return f"an empty output, {tuple(tensor.shape)}" if not tensor.numel() or not tensor.ndim else ""
