"""Make sections from the values of a config, and report all wrong values in plain English."""

import math
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cortexscale.errors import InputError, Problems, did_you_mean, nearest
from cortexscale.section import Refused, Section
from cortexscale.study.fields import choices, entry, kind_at, kind_of, options, plain, rule, section_at, section_of

Place = tuple[str | int, ...]
"""The path to a value: keys of mappings and indices of lists."""
M = TypeVar("M", bound=BaseModel)


@dataclass
class Validated(Generic[M]):
    """A section that was made from values of the config, with the problems of these values.

    Attributes:
        given: the values in the config.
        where: name of the section in messages, such as ``config key datasets.tvsd.options``; empty for the full config.
        value: the section without the wrong values; None if no section can be made.
        removed: places of the wrong values, which were removed before the section was made.
    """

    given: dict[str, Any]
    where: str = ""
    value: M | None = None
    problems: Problems = field(default_factory=Problems)
    removed: set[Place] = field(default_factory=set)

    def key(self, path: Place) -> str:
        """Return how messages name a place of the config."""
        dotted = ".".join(map(str, path))
        if not self.where:
            return f"config key {dotted}"
        return f"{self.where}.{dotted}" if path else self.where

    def written(self, path: Place) -> Place:
        """Convert a place in the section to its place in the config.

        The two differ in their indices if wrong entries were removed from a list.
        """
        place: Place = ()
        given: Any = self.given
        for part in path:
            if isinstance(part, int) and isinstance(given, dict) and part not in given:
                continue  # the config has a single section where a list is allowed
            if isinstance(part, int) and isinstance(given, list):
                part = [number for number in range(len(given)) if (*place, number) not in self.removed][part]
            place, given = (*place, part), entry(given, part)
        return place

    def sound(self) -> M:
        """Return the section, or raise an InputError that lists every problem."""
        self.problems.require_none()
        assert self.value is not None
        return self.value

    def complete(self, path: Place) -> bool:
        """Tell whether nothing was removed from the value at a place of the config."""
        return not any(gone[: len(path)] == path for gone in self.removed)


def validated(model: type[M], given: dict[str, Any], where: str = "", stand_ins: dict[str, Any] | None = None) -> Validated[M]:
    """Make a section from values of the config, and report each wrong value.

    A wrong value is removed, so that the other values can be checked. An optional key then has its default. If the key is
    required, the entry of the list or mapping that contains the key is removed as well.

    Args:
        where: name of the section in messages, as in :class:`Validated`.
        stand_ins: values that are used for required keys of the section if these are missing or wrong.
    """
    result: Validated[M] = Validated(given, where)
    for path, problem in _misread(model, given, result):
        result.removed.add(path)
        result.problems.found.append(problem)
    rest = (stand_ins or {}) | _without(given, result.removed) if result.removed else given
    while True:
        try:
            result.value = model.model_validate(rest)
        except ValidationError as error:
            before = len(result.removed)
            _remove(model, error, rest, result)
            if len(result.removed) == before:
                return result
            rest = (stand_ins or {}) | _without(given, result.removed)
        else:
            result.problems.found += _contradictions(result)
            return result


def checked(model: type[M], given: dict[str, Any], where: str) -> M:
    """Make a section from values of the config, or raise an InputError that lists every problem; see :func:`validated`."""
    return validated(model, given, where).sound()


def _without(given: Any, removed: set[Place], path: Place = ()) -> Any:
    """Return the values of the config without the removed values."""
    if isinstance(given, dict):
        kept = ((key, value) for key, value in given.items() if (*path, key) not in removed)
        return {key: _without(value, removed, (*path, key)) for key, value in kept}
    if isinstance(given, list):
        return [_without(value, removed, (*path, n)) for n, value in enumerate(given) if (*path, n) not in removed]
    return given


def _remove(model: type[BaseModel], error: ValidationError, rest: dict[str, Any], result: Validated[Any]) -> None:
    """Add the errors of pydantic to ``result.problems``, and the places of their values to ``result.removed``."""
    found: dict[Place, ErrorDetails] = {}
    for each in sorted(error.errors(), key=lambda each: not isinstance(each.get("ctx", {}).get("error"), Refused)):
        found.setdefault(result.written(_place_of(each, rest)), each)
    misspelt = [path for path, each in found.items() if each["type"] == "extra_forbidden"]
    meant = {(*path[:-1], nearest(path[-1], section_at(model, path[:-1], result.given).model_fields)) for path in misspelt}
    for path, each in found.items():
        renamed = each["type"] == "missing" and path in meant
        if result.complete(path) and not renamed:  # otherwise the error only follows from a removed value
            result.problems.found.append(_problem(model, each, path, result))
        missing = each["type"] in ("missing", "union_tag_not_found") or path in result.removed
        result.removed.add(path[:-1] if missing and len(path) > 1 else path)


def _place_of(error: ErrorDetails, given: Any) -> Place:
    """Return the place of the value that an error of pydantic is about."""
    path: Place = ()
    for part in error["loc"]:
        if (isinstance(given, dict) and part in given) or (isinstance(given, list) and isinstance(part, int)):
            path, given = (*path, part), entry(given, part)
        elif not isinstance(given, dict) or (part != given.get("source") and not isinstance(part, int)):
            break  # here pydantic names a member of a union and not a key
    if error["type"] == "missing":
        return (*path, error["loc"][-1])
    return (*path, "source") if error["type"].startswith("union_tag") else path


def _misread(model: type[BaseModel], given: dict[str, Any], result: Validated[Any]) -> Iterator[tuple[Place, InputError]]:
    """Yield an error for each value that would be a number only by mistake: ``yes`` and ``off`` (as 1 and 0), and ``.inf``."""
    for path, value in _scalars(given):
        if not isinstance(value, bool) and not (isinstance(value, float) and not math.isfinite(value)):
            continue
        kind = kind_at(model, path, given)
        types = {choice.type for choice in choices(kind)}
        if types & {int, float} and not (isinstance(value, bool) and bool in types):
            expected = plain(kind) if isinstance(value, bool) else f"{plain(kind)} that is finite"
            yield path, InputError(result.key(path), repr(value), expected, "correct the value" + _as_written(value))


def _scalars(given: Any, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(given, dict | list):
        for part, value in given.items() if isinstance(given, dict) else enumerate(given):
            yield from _scalars(value, (*path, part))
    else:
        yield path, given


def _as_written(value: Any) -> str:
    """Return the last part of a remedy, which says how YAML reads a word without quotes. For a string, return an empty text."""
    if isinstance(value, bool):
        return "; YAML takes yes, no, on and off for true and false unless they are in quotes ('no')"
    taken = "a number" if isinstance(value, int | float) and math.isfinite(value) else "a date" if isinstance(value, date) else ""
    return f"; a name is written in quotes, as in '{value}', because YAML takes it for {taken} without" if taken else ""


def _problem(model: type[BaseModel], error: ErrorDetails, path: Place, result: Validated[Any]) -> InputError:
    """Return an error of pydantic as an InputError in plain English."""
    where, kind = result.key(path), kind_at(model, path, result.given)
    if error["loc"][-1:] == ("[key]",):
        kind = kind_of(get_args(kind_at(model, path[:-1], result.given).type)[0])
        where = result.key((*path[:-1], error["input"]))
    if error["type"] in ("extra_forbidden", "invalid_key"):
        known = section_at(model, path[:-1], result.given).model_fields
        remedy = did_you_mean(path[-1], known, "remove it" + _as_written(path[-1]))
        return InputError(where, "an unknown key", f"one of {', '.join(known)}", remedy)
    if error["type"] == "value_error" and isinstance(refused := error["ctx"]["error"], Refused):
        return InputError(where, refused.found, refused.expected, refused.remedy)
    if error["type"] == "value_error":
        return InputError(where, str(error["ctx"]["error"]), "values that go together", "correct them")
    section = section_of(kind)
    expected = f"a section with keys among {', '.join(section.model_fields)}" if section else plain(kind)
    if error["type"] in ("missing", "union_tag_not_found"):
        return InputError(where, "nothing", expected, "add the key")
    value = entry(error["input"], "source") if error["type"] == "union_tag_invalid" else error["input"]
    expected += f" ({rule(kind)})" if rule(kind) and isinstance(value, str) else ""
    if value is None:
        return InputError(where, "nothing", expected, "give a value, or remove the key")
    remedy = "correct the value" + (_as_written(value) if error["type"] == "string_type" else "")
    if isinstance(value, str) and any(get_origin(choice.type) is list for choice in choices(kind)):
        remedy = f"write a list: [{value}]"
    return InputError(where, reprlib.repr(value), expected, did_you_mean(value, options(kind), remedy))


def _contradictions(result: Validated[Any]) -> Iterator[InputError]:
    for place, section in _sections(result.value):
        path = result.written(place)
        if result.complete(path):  # otherwise the section can have defaults instead of values of the config
            for key, *said in section.contradictions():
                yield InputError(result.key((*path, key)), *said)


def _sections(value: Any, path: Place = ()) -> Iterator[tuple[Place, Section]]:
    """Yield all sections within a value, with their paths."""
    if isinstance(value, Section):
        yield path, value
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for part, within in entries:
        yield from _sections(within, (*path, part))
