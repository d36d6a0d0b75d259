"""Errors that this package raises for inputs that it cannot use."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


def nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to an unknown one, or None if no known name is similar."""
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1)), None)


def suggestions(name: str, known: Iterable[str], most: int = 6) -> str:
    """List up to ``most`` known names. Those that are similar to the unknown name come first."""
    known = list(known)
    names = list(dict.fromkeys([*difflib.get_close_matches(name, known, n=3), *known]))
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def did_you_mean(name: object, known: Iterable[str], otherwise: str) -> str:
    """Return the remedy for an unknown name: it suggests the nearest known name. If no name is near, return ``otherwise``."""
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else otherwise


class InputError(Exception):
    """An input cannot be used. The message names the file or config key, the value found, the value expected, and a remedy."""

    def __init__(self, where: object, found: str, expected: str, remedy: str) -> None:
        self.where, self.found, self.expected, self.remedy = str(where), found, expected, remedy
        super().__init__(f"{where}\n    found:    {found}\n    expected: {expected}\n    to do:    {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where, self.found, self.expected, self.remedy)


class InputErrors(InputError):
    """Two or more inputs cannot be used. The message numbers their errors."""

    def __init__(self, problems: Iterable[InputError]) -> None:
        self.problems = tuple(problems)
        numbered = "\n".join(f"{number}. {problem}" for number, problem in enumerate(self.problems, start=1))
        Exception.__init__(self, f"{len(self.problems)} problems\n{numbered}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class Problems:
    """Collects InputErrors, so that one report shows the user all of them."""

    def __init__(self, found: Iterable[InputError] = ()) -> None:
        self.found = list(found)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Store an InputError that the block raises, and continue after the block."""
        try:
            yield
        except InputErrors as errors:
            self.found += errors.problems
        except InputError as error:
            self.found.append(error)

    def of(self, where: str) -> list[InputError]:
        """List the problems of one part of the inputs. Their attribute ``where`` begins with the argument ``where``."""
        return [problem for problem in self.found if problem.where.startswith(where)]

    def require_none(self) -> None:
        """If one problem was found, raise it. If several were found, raise one InputError that lists each of them once."""
        unlike = list({str(problem): problem for problem in self.found}.values())
        if len(unlike) > 1:
            raise InputErrors(unlike)
        if unlike:
            raise unlike[0]
