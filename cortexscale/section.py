"""The base of every section of the config, and the types of values that several sections share.

It is a module of its own so that a stage whose parameters are a section does not depend on the code of all other sections.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Words:
    """Names of types of values in messages and in the config reference.

    Attributes:
        one, many: singular and plural.
        rule: what a value must look like, if the word does not say it.
    """

    one: str
    many: str
    rule: str = ""


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    Words("name", "names", "letters, digits, dots, dashes and underscores; it begins with a letter or digit"),
]
Percent = Annotated[float, Field(gt=0, le=100), Words("percentage up to 100", "percentages up to 100", "above 0")]
Seed = Annotated[int, Field(ge=0)]


class Contradiction(NamedTuple):
    """Values of one section that do not go together.

    Attributes:
        key: the key of the section to correct, with dots for keys of sections within it.
        found, expected, remedy: as in :class:`cortexscale.errors.InputError`.
    """

    key: str
    found: str
    expected: str
    remedy: str


class Section(BaseModel):
    """A section of the config: unknown keys are errors, and values cannot be changed later.

    The text below a field is its description in ``docs/config.md`` and in the JSON schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what is wrong with values that are valid each on their own."""
        yield from ()
