"""The base of every section of the config, and the types of values that several sections share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt


@dataclass(frozen=True)
class Words:
    """Names of a type of values in messages and in the config reference, in singular and plural, and a rule for such values."""

    one: str
    many: str
    rule: str = ""


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    Words("name", "names", "letters, digits, dots, dashes and underscores; it begins with a letter or digit"),
]
Percent = Annotated[float, Field(gt=0, le=100), Words("percentage up to 100", "percentages up to 100", "above 0")]
Seed = NonNegativeInt
T = TypeVar("T")
NonEmpty = Annotated[list[T], Field(min_length=1)]


class Contradiction(NamedTuple):
    """An error about values of one section that contradict each other. ``key`` may lie in a nested section."""

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
