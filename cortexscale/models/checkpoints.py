"""Read trained weights from the checkpoint files of several trainers, without running anything that a file may contain."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

LAYOUTS = (
    (("state", "model"), ("state", "model_ema_state_dict")),  # MosaicML Composer, as the published suite was saved
    (("state_dict",), ("state_dict_ema",)),  # timm, Lightning
    (("model",), ("model_ema",)),  # DeiT, torchvision
    (("model_state",), ()),
)
"""Paths of the weights in the files of several trainers, each with the path of their exponential moving average (EMA)."""
PREFIXES = ("module.", "model.", "backbone.", "_orig_mod.")
"""Prefixes that DistributedDataParallel, a classifier or torch.compile put before the keys of a network."""
_REMEDY = "fetch or train it again"

Weights = Mapping[str, torch.Tensor]


class _Foreign:
    """Stand-in for an object that is neither a tensor nor plain Python (a metric, a random state, ``eval``). It does nothing."""

    def __new__(cls, *_: Any) -> "_Foreign":
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


def load_weights(network: nn.Module, path: Path | str, *, ema: bool | Literal["auto"] = "auto") -> None:
    """Load a checkpoint: a bare state dict, or one that a trainer wrapped (``LAYOUTS``, ``PREFIXES``).

    ``ema`` asks for the moving average of the weights. "auto" loads it where there is one, as the authors of the published suite
    do for evaluation. It raises an InputError, and leaves the network unchanged, unless every key is there with its shape.
    """
    raw, average = _find_weights(read_checkpoint(path), path)
    if ema is True and average is None:
        raise InputError(path, "no moving average (EMA) of the weights", "weights and their average", "set ema: auto or false")
    expected = network.state_dict()
    weights = _unwrapped(average if ema and average is not None else raw, expected)
    _require_fit(weights, expected, path)
    network.load_state_dict(weights)


def read_checkpoint(path: Path | str) -> Any:
    """Read a file that ``torch.save`` wrote. Tensors stay on the disk until they are used.

    torch may create only tensors and plain Python objects. Every other object, such as the state of the trainer in a published
    checkpoint, is replaced by an empty stand-in. It raises an InputError if the file is missing, damaged, no checkpoint, or
    cannot be read in this way.
    """
    path = require_real_file(path, _REMEDY)
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"  # torch before 1.6 wrote bare pickles
    if zipped and not zipfile.is_zipfile(path):
        raise InputError(path, f"the first {path.stat().st_size:,} bytes of a longer file", "a whole checkpoint", _REMEDY)
    try:
        names = get_unsafe_globals_in_checkpoint(path) if zipped else []
        with safe_globals([_stand_in(name) for name in names]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a damaged file can raise any exception
        # torch embeds the reason in the advice to load the file without its safeguard
        reason = str(error).split("\n\nCheck the documentation")[0].split("\n\n")[-1]
        reason = reason.split("WeightsUnpickler error:")[-1].split("Please use")[0]
        found = f"a file that cannot be read safely as a checkpoint ({type(error).__name__}: {reason.strip()[:200]})"
        remedy = f"{_REMEDY}, or where its trainer is installed save the weights alone: torch.save(network.state_dict(), file)"
        raise InputError(path, found, "a file of torch.save with tensors and plain Python", remedy) from error


def _stand_in(name: str) -> type[_Foreign]:
    module, _, name = name.rpartition(".")
    return type(name, (_Foreign,), {"__module__": module})


def _find_weights(content: Any, path: Path | str) -> tuple[Weights, Weights | None]:
    """Find the trained weights in a checkpoint, and their moving average if there is one."""
    for place, average in LAYOUTS:
        if (weights := _at(content, place)) is not None:
            moving = _at(content, average) if average else None
            return _state_dict(weights, place, path), moving and _state_dict(moving, average, path)
    return _state_dict(content, (), path), None


def _at(content: Any, place: tuple[str, ...]) -> Any:
    """The entry of nested dictionaries at a path of keys; None where there is none, or an empty one."""
    for key in place:
        content = content.get(key) if isinstance(content, dict) else None
    return content or None  # the average of a training that has not started averaging is empty


def _state_dict(value: Any, place: tuple[str, ...], path: Path | str) -> Weights:
    if isinstance(value, dict):
        if value and all(isinstance(key, str) and isinstance(entry, torch.Tensor) for key, entry in value.items()):
            return value
        found = f"a dictionary of {', '.join(map(str, list(value)[:6]))}"
    else:
        found = f"an object of {type(value).__module__}.{type(value).__qualname__}"
    expected = "a state dict (names and tensors), alone or at " + ", ".join(".".join(raw) for raw, _ in LAYOUTS)
    remedy = "save the weights alone: torch.save(network.state_dict(), file)"
    raise InputError(path, f"{found}{' at ' + '.'.join(place) if place else ''}", expected, remedy)


def _unwrapped(weights: Weights, expected: Weights) -> Weights:
    """``weights`` under the names of the network, without the prefixes of wrappers."""
    weights = {key: tensor for key, tensor in weights.items() if key != "n_averaged"}  # a counter of torch's AveragedModel
    while prefix := next(
        (prefix for prefix in PREFIXES if _all_begin(weights, prefix) and not _all_begin(expected, prefix)), None
    ):
        weights = {key.removeprefix(prefix): tensor for key, tensor in weights.items()}
    return weights


def _all_begin(weights: Weights, prefix: str) -> bool:
    return bool(weights) and all(key.startswith(prefix) for key in weights)


def _require_fit(weights: Weights, expected: Weights, path: Path | str) -> None:
    missing = [key for key in expected if key not in weights]
    unexpected = [key for key in weights if key not in expected]
    shapes = [key for key in expected if key in weights and weights[key].shape != expected[key].shape]
    if not (missing or unexpected or shapes):
        return
    other = [f"{key} {tuple(weights[key].shape)} instead of {tuple(expected[key].shape)}" for key in shapes]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": other}
    found = [f"{len(keys)} {kind}: {', '.join(keys[:4])}{', ...' * (len(keys) > 4)}" for kind, keys in kinds.items() if keys]
    remedy = "give the architecture that was trained, with its arguments, or the checkpoint of this one"
    same_input = all(weights[key].shape[1:] == expected[key].shape[1:] for key in shapes)
    if not missing and not unexpected and same_input and shapes == list(expected)[-len(shapes) :]:  # the last layer alone
        found.insert(0, f"{len(weights[shapes[0]])} classes instead of {len(expected[shapes[0]])}")
        remedy = "give the number of classes of its training set, or a checkpoint that was trained on the other one"
    raise InputError(path, "; ".join(found), f"the {len(expected)} weights of the network, each with its shape", remedy)
