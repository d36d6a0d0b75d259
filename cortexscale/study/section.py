"""What every section of the config is, and how its problems are told."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cortexscale.recipe import Attack, Jitter, Lora, NeuralRecipe, Recipe

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]

Percent = Annotated[float, Field(gt=0, le=100)]


class Section(BaseModel):
    """A section of the config: unknown keys are errors, values cannot be changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_RECIPES = (Recipe, Attack, NeuralRecipe, Jitter, Lora)


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    for kind in section.__subclasses__():
        yield kind
        yield from _sections(kind)


def describe(problem: dict[str, Any], known: Iterable[str] | None = None) -> str:
    """One line for one pydantic error: path, what is wrong, the likely intention.

    Args:
        known: keys that may have been meant; by default those of every section of the config.
    """
    path = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        known = known or {field for section in (*_sections(Section), *_RECIPES) for field in section.model_fields}
        name = path.rsplit(".", 1)[-1]
        near = difflib.get_close_matches(name, sorted(set(known) - {name}), n=1)  # it may be a key of another section
        return f"{path}: no such key" + (f"; did you mean `{near[0]}`?" if near else "")
    found = problem["input"]
    return f"{path}: {problem['msg']}" + (f" (found {found!r})" if isinstance(found, str | int | float) else "")
