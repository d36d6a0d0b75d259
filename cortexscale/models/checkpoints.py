"""Loading of a network's weights from a checkpoint, in any structure that a trainer adds around them.

The name of a tensor is its place in the file, with dots (:func:`~cortexscale.models.checkpoint_files.named_tensors`). Trainers
and wrappers add parts to the names of weights. They add keys and prefixes before a name (``state_dict.module.``), or a wrapper
within it (``features.module.0.weight``). The search looks for a place below which all needed weights are found by name and shape.
If there is no such place, it also tries names without the parts that the network does not know.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from cortexscale.errors import InputError
from cortexscale.models.checkpoint_files import described, named_tensors, read_checkpoint

log = logging.getLogger(__name__)

_AVERAGE = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)|Ema|EMA")
"""Part of a name in a file which tells that weights are a moving average."""
_TRAINING = re.compile(
    r"(?i)loss|criterion|metric|accuracy|(^|_)acc(_|$)|auroc|prototype|predictor|projector|proj(ection)?_head|decoder|mask_token|queue"
)
"""Part of the name of modules that only training uses, and evaluation does not run."""
_PART = re.compile(r"-\d+-of-\d+\.")
_REWRITTEN = re.compile(r"\.parametrizations\.|\.weight_(orig|mask|g|v)$")  # by torch.nn.utils in place of a weight
_COUNTERS = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")
"""Names of buffers on which no output depends. torch before 0.4.1 had no ``num_batches_tracked``."""

Tensors = Mapping[str, Tensor]


def load_weights(
    network: nn.Module,
    path: Path | str,
    *,
    ema: bool | Literal["auto"] = "auto",
    weights_at: str | None = None,
    spare: Collection[str] = (),
) -> None:
    """Load the weights of a network from a file of ``torch.save`` or safetensors.

    The log says which weights were loaded and which tensors were not used. Exactly one set of weights in the file must fit. A set
    fits if it has every needed weight in the right shape, and no other tensor on which the needed outputs could depend. Otherwise
    an InputError is raised, and the network is not changed.

    Args:
        ema: whether to load the moving average of the weights. "auto" loads it if the file has one. An average is recognised by
            the word ``ema``, ``swa`` or ``average`` in the keys that lead to it, such as ``model_ema_state_dict``. False leaves
            all averages out, so that the raw weights remain. With ``weights_at``, ``ema`` has no effect.
        weights_at: place of the weights, such as ``teacher``, in a file in which several sets of weights fit.
        spare: names of modules whose weights are not needed, such as a classifier. If these weights are missing, they become NaN,
            so that results computed from them are noticed.
    """
    content = read_checkpoint(path)
    tensors = named_tensors(content)
    if not tensors:
        remedy = "save the weights alone: torch.save(network.state_dict(), file)"
        raise InputError(path, described(content), "a state dict: names and tensors, not NumPy arrays", remedy)
    wanted = _Wanted.of(network, spare)
    pool = _chosen(tensors, wanted, ema, weights_at, path)
    matches = wanted.search(pool)
    fitting = _distinct([match for match in matches if not match.problems], wanted, pool)
    if not fitting:
        raise _does_not_fit(max(matches, key=lambda match: match.nearness), pool, wanted, path)
    if len(fitting) > 1:
        places = [match.place.rstrip(".") or "the top of the file" for match in fitting]
        remedy = f"choose one in the config: `weights_at: {places[0]}`"
        raise InputError(path, f"weights that fit at {len(places)} places: {', '.join(places)}", "one set of weights", remedy)
    match = fitting[0]
    _require_numbers(match, pool, wanted, path)
    network.load_state_dict({name: pool[key] for name, key in match.names.items()}, strict=False)
    absent = [key for key in wanted.spared if key not in match.names and not wanted.shared(key, match.names)]
    for key in absent:
        wanted.weights[key].fill_(torch.nan if wanted.weights[key].is_floating_point() else 0)
    _report(match, tensors, absent, path)


@dataclass(frozen=True)
class _Match:
    """A comparison of a network's weights with those tensors of a file whose names begin with ``place``.

    Attributes:
        place: beginning of the names of the tensors, which is empty or ends with a dot.
        names: name of a weight in the network -> its name in the file.
        problems: kind of problem -> names of the weights that have it.
        nearness: a tuple that is larger for a better match.
    """

    place: str
    names: dict[str, str]
    problems: dict[str, list[str]]
    nearness: tuple[int, ...]


@dataclass(frozen=True)
class _Wanted:
    """The weights of a network: all of them, those that are needed, and those of spare modules."""

    weights: Tensors
    needed: tuple[str, ...]
    spared: tuple[str, ...]
    spare: tuple[str, ...]
    known: frozenset[str]
    """All parts of the names of weights and buffers."""
    buffers: frozenset[str]

    @classmethod
    def of(cls, network: nn.Module, spare: Collection[str]) -> "_Wanted":
        weights = network.state_dict()
        counted = [key for key in weights if key.rpartition(".")[2] not in _COUNTERS]
        spared = tuple(key for key in counted if _within(key, spare))
        needed = tuple(key for key in counted if key not in set(spared))
        buffers = frozenset(name for name, _ in network.named_buffers())
        known = frozenset(part for key in [*weights, *buffers] for part in key.split("."))
        return cls(weights, needed, spared, tuple(spare), known, buffers)

    def search(self, pool: Tensors) -> list[_Match]:
        """For every place in a file, match the tensors below it to the weights of the network by name.

        If no place fits, tensors are matched by shortened names. If the network was wrapped after its training, its names may
        begin with parts that the file lacks.
        """
        below: dict[str, list[str]] = defaultdict(list)
        for key in pool:
            for place in _places(key):
                below[place].append(key)
        below = {place: keys for place, keys in below.items() if not place or 2 * len(keys) >= len(self.needed)}
        common = _common_place(self.needed)
        matches: list[_Match] = []
        for shorten in (False, True):
            for added in dict.fromkeys(("", common)):
                found = [self._match(pool, place, keys, added, shorten) for place, keys in below.items()]
                if any(not match.problems for match in found):
                    return found
                matches += found
        return matches

    def _match(self, pool: Tensors, place: str, keys: Sequence[str], added: str, shorten: bool) -> _Match:
        names = {name: key for key in keys if (name := added + key.removeprefix(place)) in self.weights}
        if shorten:
            others = defaultdict(list)
            for key in keys:
                name = added + ".".join(part for part in key.removeprefix(place).split(".") if part in self.known)
                if name in self.weights and name not in names:
                    others[name].append(key)
            names |= {name: found[0] for name, found in others.items() if len(found) == 1}
        used = set(names.values())
        rest = [name for key in keys if key not in used and not self._beside(name := added + key.removeprefix(place))]
        lacks = sum(name not in names for name in self.needed)
        missing = [name for name in self.needed if name not in names and not self.shared(name, names)] if lacks else []
        wrong = [name for name in self.weights if name in names and not _same_kind(self.weights[name], pool[names[name]])]
        problems = {"missing": missing, "unexpected": rest, "of another shape": wrong}
        nearness = len(names) - len(wrong), len(names), -len(rest) if names else len(keys), len(place)
        return _Match(place, names, {kind: found for kind, found in problems.items() if found}, nearness)

    def _beside(self, name: str) -> bool:
        """Tell whether a tensor of a file can be ignored, because the needed outputs do not depend on it."""
        first, last = name.split(".")[0], name.rpartition(".")[2]
        of_training = first not in self.known and _TRAINING.search(first)
        return bool(of_training) or last in _COUNTERS or name in self.buffers or _within(name, self.spare)

    def shared(self, name: str, given: Collection[str]) -> bool:
        """Tell whether a weight is the same tensor as one of the ``given`` weights, as in tied embeddings."""
        address = self.weights[name].data_ptr()
        return address != 0 and any(self.weights[other].data_ptr() == address for other in given)


def _places(key: str) -> Iterator[str]:
    yield ""
    for dot in re.finditer(r"\.", key):
        yield key[: dot.end()]


def _common_place(keys: Sequence[str]) -> str:
    """Return the longest place with which all keys begin."""
    places = _places(keys[0]) if keys else ""
    return max((place for place in places if all(key.startswith(place) for key in keys)), key=len, default="")


def _within(name: str, modules: Collection[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _same_kind(wanted: Tensor, found: Tensor) -> bool:
    return wanted.shape == found.shape and wanted.is_floating_point() == found.is_floating_point()


def _chosen(tensors: Tensors, wanted: _Wanted, ema: bool | str, weights_at: str | None, path: Path | str) -> Tensors:
    """Select the tensors in which weights are searched: those at a place, the moving averages, or all other tensors."""
    if weights_at:
        place = weights_at.rstrip(".") + "."
        pool = {key: tensor for key, tensor in tensors.items() if key.startswith(place)}
        if not pool:
            places = ", ".join(dict.fromkeys(key.rpartition(".")[0].split(".")[0] or key for key in tensors))
            raise InputError(path, f"nothing at `weights_at: {weights_at}`", f"one of {places[:200]}", "correct `weights_at`")
        return pool

    def averaged(key: str) -> bool:
        return any(_AVERAGE.search(part) and part not in wanted.known for part in key.split(".")[:-1])

    average = {key: tensor for key, tensor in tensors.items() if averaged(key)}
    if ema is True and not average:
        raise InputError(path, "no moving average (EMA) of the weights", "weights and their average", "set ema: auto or false")
    if ema is True or (ema == "auto" and len(average) >= len(wanted.needed) / 2):
        return average
    pool = {key: tensor for key, tensor in tensors.items() if key not in average}
    if not pool:
        raise InputError(path, "a moving average (EMA) of the weights alone", "the weights themselves", "set ema: auto or true")
    return pool


def _distinct(matches: Sequence[_Match], wanted: _Wanted, pool: Tensors) -> list[_Match]:
    """If several matches have the same weights, keep only the one at the deepest place."""
    kept: list[_Match] = []
    for match in sorted(matches, key=lambda match: -len(match.place)):
        if not any(_equal(match, other, wanted, pool) for other in kept):
            kept.append(match)
    return sorted(kept, key=lambda match: list(pool).index(next(iter(match.names.values()))))


def _equal(one: _Match, other: _Match, wanted: _Wanted, pool: Tensors) -> bool:
    pairs = [(one.names[name], other.names[name]) for name in wanted.needed if name in one.names and name in other.names]
    return all(first == second or torch.equal(pool[first], pool[second]) for first, second in pairs)


def _require_numbers(match: _Match, pool: Tensors, wanted: _Wanted, path: Path | str) -> None:
    """Raise an InputError if needed weights have no numbers at all, or some that are not finite."""
    if empty := [name for name in wanted.needed if name in match.names and pool[match.names[name]].is_meta]:
        found = f"{len(empty)} weights of the device `meta`, which have shapes and no numbers: {', '.join(empty[:4])}"
        remedy = "the network was saved before its weights were loaded, or while they were on disk; load them, and save it again"
        raise InputError(path, found, "weights with numbers", remedy)
    floating = [name for name in wanted.needed if name in match.names and wanted.weights[name].is_floating_point()]
    wrong = [name for name in floating if not torch.isfinite(pool[match.names[name]].float()).all()]
    if wrong:
        found = f"{len(wrong)} of {len(floating)} weights with numbers that are not finite: {', '.join(wrong[:4])}"
        remedy = "the training diverged, or half precision overflowed: take an earlier checkpoint"
        raise InputError(path, found, "finite numbers", remedy)


def _report(match: _Match, tensors: Tensors, absent: Sequence[str], path: Path | str) -> None:
    used = set(match.names.values())
    rest = sorted((key for key in tensors if key not in used), key=lambda key: -len(_common_place((match.place, key))))
    renamed = [key for name, key in match.names.items() if key.removeprefix(match.place) != name]
    of_place = f" below `{match.place.rstrip('.')}`" if match.place else ""
    log.info("%s: %d weights%s%s", path, len(used), of_place, f", such as {renamed[0]}, by shorter names" if renamed else "")
    if rest:
        log.info("%s: %d other tensors were not used: %s", path, len(rest), _some(rest))
    if absent:
        log.warning("%s has no weights of %s; nothing is computed from them here", path, _some(absent))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + ", ..." * (len(names) > 4)


def _does_not_fit(match: _Match, pool: Tensors, wanted: _Wanted, path: Path | str) -> InputError:
    """Make an error that describes the nearest match."""
    missing, shapes = match.problems.get("missing", []), match.problems.get("of another shape", [])
    told = dict(match.problems)
    if shapes:
        told["of another shape"] = [_difference(wanted.weights[name], pool[match.names[name]], name) for name in shapes]
    found = [f"{len(names)} {kind}: {_some(names)}" for kind, names in told.items()]
    found[0] = (f"below `{match.place.rstrip('.')}`: " if match.place else "") + found[0]
    remedy = "give the architecture that was trained, with its arguments, or the checkpoint of this one"
    last = [key for key in wanted.weights if _within(key, {list(wanted.weights)[-1].rpartition(".")[0]})]
    only_shapes = bool(shapes) and not missing and "unexpected" not in match.problems
    same_input = all(wanted.weights[name].shape[1:] == pool[match.names[name]].shape[1:] for name in shapes)
    if _PART.search(Path(path).name):
        found.insert(0, "one of several files of a network")
        remedy = "join the state dicts of all its files in one file, or use the source `huggingface`"
    elif any(_REWRITTEN.search(name) for name in match.problems.get("unexpected", [])):
        found.insert(0, "weights of a parametrization or a pruning")
        remedy = (
            "remove these from the network (torch.nn.utils.parametrize.remove_parametrizations, prune.remove), and save it again"
        )
    elif only_shapes and same_input and shapes == list(wanted.weights)[-len(shapes) :]:
        classes = [len(tensor) for tensor in (pool[match.names[shapes[0]]], wanted.weights[shapes[0]])]
        found.insert(0, f"{classes[0]} classes instead of {classes[1]}")
        remedy = "give the number of classes of its training set, or a checkpoint that was trained on the other one"
    elif only_shapes and all("pos" in name.rpartition(".")[2] for name in shapes):
        found.insert(0, "position embeddings of another image size")
        remedy = "give the image size of its training, such as arguments: {img_size: 224}; embeddings are not resampled"
    elif missing and set(missing) == set(last):
        found.insert(0, "no classifier")
        remedy = "take a checkpoint with its classifier; without one, features alone can be extracted, from layers before it"
    return InputError(path, "; ".join(found), f"the {len(wanted.needed)} weights of the network, each with its shape", remedy)


def _difference(wanted: Tensor, found: Tensor, name: str) -> str:
    if wanted.shape == found.shape:
        return f"{name} {found.dtype} instead of {wanted.dtype}".replace("torch.", "")
    return f"{name} {tuple(found.shape)} instead of {tuple(wanted.shape)}"
