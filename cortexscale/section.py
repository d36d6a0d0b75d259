"""The base class of all sections of the config, and the types of values that several sections share."""

import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Words:
    """The name of a type of values, in singular and plural, and a rule for its values.

    Messages and the config reference use these words.
    """

    one: str
    many: str
    rule: str = ""


LONGEST = 200
"""Largest number of characters of a name. Names become parts of file names, which have at most 255 bytes."""
_LONGEST_PART = 255
"""Largest number of bytes of the name of a file or folder on usual disks."""


class Refused(ValueError):
    """Raised if the type of a field refuses a value. The attributes become parts of an InputError."""

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        super().__init__(found)
        self.found, self.expected, self.remedy = found, expected, remedy


C = TypeVar("C", bound=Collection[Any])


def _unequal(values: C, same: Callable[[Any], Any], expected: str, remedy: str) -> C:
    """Return the values.

    If ``same`` returns equal results for two of them, raise :class:`Refused`, which names the first such pair.
    """
    seen: list[tuple[Any, Any]] = []
    for value in values:
        for earlier, other in seen:
            if other == same(value):
                if isinstance(value, BaseModel):
                    found = "two equal sections"
                else:
                    found = f"{value} twice" if _composed(earlier) == _composed(value) else f"{earlier} and {value}"
                raise Refused(found, expected, remedy)
        seen.append((value, same(value)))
    return values


def _composed(value: Any) -> Any:
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


def each_once(values: C) -> C:
    """Return the values.

    If two of them are equal, raise :class:`Refused`. 50 and 50.0 are equal, and so are the two Unicode forms of é.
    """
    return _unequal(values, _composed, "every entry once", "remove one of them")


def apart(names: C) -> C:
    """Return the names. If two of them differ only in upper and lower case, raise :class:`Refused`."""
    expected = "names that differ in more than upper and lower case, because they become names of files"
    return _unequal(names, lambda name: _composed(name).casefold(), expected, "rename one of them")


def without_all(names: C) -> C:
    """Return the names. If one of them is the word ``all``, which stands for the whole list, raise :class:`Refused`."""
    if "all" in names:
        raise Refused(
            "`all` in a list", "`all` alone, or a list of names", "write `all` without brackets or a dash, or leave it out"
        )
    return names


def visible(label: str) -> str:
    """Return a label for figures. If it has more than one line, or no visible character, raise :class:`Refused`."""
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in label):
        raise Refused(repr(label), "a label in one line", "remove what ends the line; a YAML text after | or > ends with one")
    if not any(letter.isprintable() and letter != " " for letter in label):
        raise Refused(repr(label), "a label that can be seen, by which figures tell entries apart", "write a short name")
    return label


_FORBIDDEN = r'/\:*?"<>|{}'
"""Characters that usual disks refuse in names, or that Snakemake takes for wildcards."""


def part_of_path(name: str) -> str:
    """Return a name that becomes part of the names of files.

    If some disk or Snakemake would misread it, raise :class:`Refused`.
    """
    apart = name != name.strip() or name.startswith((".", "-")) or name.endswith(".")
    if not name or apart or any(letter in _FORBIDDEN or unicodedata.category(letter) == "Cc" for letter in name):
        expected = (
            f"a name without {' '.join(_FORBIDDEN)}, without dots or spaces at its ends, and without a dash at its beginning"
        )
        raise Refused(repr(name), f"{expected}, because files are named by it", "rename it")
    if len(name.encode()) > LONGEST:
        raise Refused(f"{name[:80]}...", f"a name of at most {LONGEST} bytes, because files are named by it", "rename it")
    return name


def expanded(path: str) -> str:
    """Return a path in which ``~`` is replaced by the home folder, and ``$NAME`` and ``${NAME}`` by environment variables.

    ``$$`` stands for a dollar sign. A path with an unset variable, a line end or a brace is refused.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        raise Refused(repr(path), "a path in one line", "remove what ends the line; a YAML text after | or > ends with one")
    try:
        path = Template(path).substitute(os.environ)
    except KeyError as error:
        found = f"{path}, and the environment variable {error.args[0]} is not set"
        raise Refused(found, "variables that are set", f"set it (export {error.args[0]}=...), or write the path out") from None
    except ValueError:
        raise Refused(path, "$NAME or ${NAME} for an environment variable", "write $$ for a dollar sign") from None
    if "{" in path or "}" in path:
        expected = "a path without { and }, which Snakemake takes for wildcards"
        raise Refused(path, expected, "write {results} correctly, or rename the folder")
    if any(len(part.encode()) > _LONGEST_PART for part in Path(path).parts):
        raise Refused(f"{path[:80]}...", f"names of at most {_LONGEST_PART} bytes between slashes", "correct the path")
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise Refused(path, "~ or ~NAME for the home folder of a user of this machine", "write the path out") from None


def compiled(pattern: str) -> str:
    """Return a regular expression. If it is not valid, raise :class:`Refused`, which says where the mistake is."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        remedy = r"correct it; a bracket or dot of a name is written with a backslash, as in `blocks\.0`"
        raise Refused(f"{pattern!r} ({error})", "a regular expression", remedy) from None
    return pattern


NAME = rf"[A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST - 1}}}"
Name = Annotated[
    str,
    Field(pattern=f"^{NAME}$"),
    Words("name", "names", f"at most {LONGEST} letters, digits, dots, dashes and underscores; it begins with a letter or digit"),
]
RoiName = Annotated[str, AfterValidator(part_of_path), Words("name of an ROI", "names of ROIs")]
Label = Annotated[str, AfterValidator(visible)]
"""A name that is shown in figures and tables, such as the label of a dataset."""
FilePath = Annotated[str, Field(min_length=1), AfterValidator(expanded), Words("path", "paths")]
"""The path of a file or folder; a relative path begins at the folder in which Snakemake runs."""
PythonFile = Annotated[str, Field(pattern=r"\.py$"), AfterValidator(expanded), Words("path of a .py file", "paths of .py files")]
Pattern = Annotated[str, AfterValidator(compiled), Words("regular expression", "regular expressions")]
Percent = Annotated[float, Field(gt=0, le=100), Words("percentage up to 100", "percentages up to 100", "above 0")]
Seed = Annotated[int, Field(ge=0, lt=2**32), Words("whole number from 0 to 4294967295", "whole numbers from 0 to 4294967295")]
"""A seed that all generators of random numbers take."""
T = TypeVar("T")
Once = Annotated[list[T], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(each_once)]
"""A list in which no two entries are equal."""
NonEmpty = Annotated[Once[T], Field(min_length=1)]
AllOr = Literal["all"] | Annotated[Once[T], AfterValidator(without_all)]
"""A list of names, or the word ``all`` in place of the list."""
Named = Annotated[dict[Name, T], AfterValidator(apart)]
"""A mapping whose keys become names of files."""


class Contradiction(NamedTuple):
    """An error about values of one section that contradict each other. ``key`` can belong to a nested section."""

    key: str
    found: str
    expected: str
    remedy: str


class Section(BaseModel):
    """A section of the config. Unknown keys are errors, and values cannot be changed later.

    The text below a field is its description in ``docs/config.md`` and in the JSON schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield an error for each invalid combination of values that are valid on their own."""
        yield from ()
