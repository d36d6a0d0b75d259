"""Describe the type of a config key in plain English, for messages and for the config reference."""

import types
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cortexscale.section import Words

_NOUNS = {
    str: Words("string", "strings"),
    int: Words("whole number", "whole numbers"),
    float: Words("number", "numbers"),
}


class Kind(NamedTuple):
    """A type and the constraints on its values, taken out of ``Annotated``."""

    type: Any
    constraints: tuple[Any, ...] = ()


def kind_of(annotation: Any) -> Kind:
    """Return the kind that an annotation stands for."""
    if get_origin(annotation) is not Annotated:
        return Kind(annotation)
    type, *found = get_args(annotation)
    constraints = [each.metadata if isinstance(each, FieldInfo) else [each] for each in found]
    return Kind(type, tuple(chain.from_iterable(constraints)))


def kind_of_field(field: FieldInfo) -> Kind:
    """Return the kind of a field of a section."""
    return kind_of(field.rebuild_annotation())


def choices(kind: Kind) -> list[Kind]:
    """List the members of a union, without None. If the kind is not a union, list only the kind itself."""
    if get_origin(kind.type) not in (Union, types.UnionType):
        return [kind]
    members = [choice for member in get_args(kind.type) if member is not types.NoneType for choice in choices(kind_of(member))]
    return [Kind(member.type, (*member.constraints, *kind.constraints)) for member in members]


def section_of(kind: Kind, given: Any = None) -> type[BaseModel] | None:
    """Return the section that a kind stands for, or None. In a union of sections, the ``source`` in ``given`` decides."""
    sections, source = _sections(kind), entry(given, "source")
    if len(sections) < 2:
        return next(iter(sections), None)
    return next((section for section in sections if source in _sources(section)), None)


def _sections(kind: Kind) -> list[type[BaseModel]]:
    return [choice.type for choice in choices(kind) if isinstance(choice.type, type) and issubclass(choice.type, BaseModel)]


def _sources(section: type[BaseModel]) -> tuple[str, ...]:
    return get_args(section.model_fields["source"].annotation) if "source" in section.model_fields else ()


def kind_at(model: type[BaseModel], path: Sequence[str | int], given: Any) -> Kind:
    """Return the kind of the value at a path in a section; ``Kind(Any)`` if there is no such key.

    ``given`` has the values of the section.
    """
    return _followed(model, path, given)[0]


def section_at(model: type[BaseModel], path: Sequence[str | int], given: Any) -> type[BaseModel]:
    """Return the inner section at a path in a section. ``given`` has the values of the outer section."""
    kind, given = _followed(model, path, given)
    # A config can have one section in place of a list of sections.
    section = section_of(kind, given) or section_of(kind_of(get_args(kind.type)[0]))
    assert section is not None
    return section


def _followed(model: type[BaseModel], path: Sequence[str | int], given: Any) -> tuple[Kind, Any]:
    kind = Kind(model)
    for part in path:
        kind, given = _entry(kind, part, given), entry(given, part)
    return kind, given


def _entry(kind: Kind, part: str | int, given: Any) -> Kind:
    section = section_of(kind, given)
    if section is not None:
        field = section.model_fields.get(str(part))
        return kind_of_field(field) if field else Kind(Any)
    if part == "source" and (sources := [source for each in _sections(kind) for source in _sources(each)]):
        return Kind(Literal[tuple(sources)])
    for choice in choices(kind):
        members = get_args(choice.type)
        match get_origin(choice.type), part:
            case (origin, int()) if origin in (list, tuple):
                return kind_of(members[0])
            case (origin, str()) if origin is list:  # a config can have one section in place of a list
                return _entry(kind_of(members[0]), part, given)
            case (origin, _) if origin is dict:
                return kind_of(members[1])
    return Kind(Any)


def entry(given: Any, part: str | int) -> Any:
    """Return the value of a mapping at a key, or of a list at an index; None if it does not exist."""
    if isinstance(given, dict):
        return given.get(part)
    return given[part] if isinstance(given, list) and isinstance(part, int) and part < len(given) else None


def plain(kind: Kind, many: bool = False) -> str:
    """Return a kind in words, such as ``non-empty list of whole numbers above 0``; in the plural if ``many``."""
    *first, last = dict.fromkeys(word for choice in choices(kind) for word in _words(choice, many))
    return f"{', '.join(first)} or {last}" if first else last


def options(kind: Kind) -> list[str]:
    """List the words that a kind allows as values."""
    return [str(member) for choice in choices(kind) if get_origin(choice.type) is Literal for member in get_args(choice.type)]


def rule(kind: Kind) -> str:
    """Return in words which strings a kind allows; an empty text if the name of its type already says it."""
    return next((each.rule for each in kind.constraints if isinstance(each, Words)), "")


def _words(kind: Kind, many: bool) -> list[str]:
    origin, members = get_origin(kind.type), get_args(kind.type)
    full = "non-empty " if any(getattr(each, "min_length", 0) for each in kind.constraints) else ""
    if origin is Literal:
        return [f"`{member}`" for member in members]
    if kind.type is bool:
        return ["`true`", "`false`"]
    if origin in (list, tuple):
        return [f"{full}{'lists' if many else 'list'} of {plain(kind_of(members[0]), many=True)}"]
    if origin is dict:
        keys, values = (plain(kind_of(member), many=True) for member in members)
        return [f"{full}{'mappings' if many else 'mapping'} of {keys} to {values}"]
    if _sections(kind):
        return ["sections" if many else "section"]
    if named := next((each for each in kind.constraints if isinstance(each, Words)), None):
        return [named.many if many else named.one]
    noun = _NOUNS.get(kind.type, Words("value", "values"))
    bounds = [
        f"{word} {getattr(each, name):g}"
        for name, word in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most"))
        for each in kind.constraints
        if getattr(each, name, None) is not None
    ]
    return [" ".join([noun.many if many else noun.one, " and ".join(dict.fromkeys(bounds))]).rstrip()]
