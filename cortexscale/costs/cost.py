"""The cost of a job, and the text of its formula."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

LONGEST = 2 * 24 * 60
"""Longest time limit, in minutes, of a job that continues where it stopped when it is tried again."""


@dataclass(frozen=True)
class Cost:
    """Time, memory and disk that one job needs.

    Attributes:
        seconds: run time.
        memory: bytes of host memory.
        disk: bytes that the job leaves on disk.
        resumes: whether a job that was killed continues where it stopped.
    """

    seconds: float
    memory: float
    disk: float = 0.0
    resumes: bool = False

    @property
    def minutes(self) -> int:
        """Time limit in minutes, rounded up; at most ``LONGEST`` for a job that resumes."""
        minutes = math.ceil(self.seconds / 60)
        return min(minutes, LONGEST) if self.resumes else minutes

    @property
    def mb(self) -> int:
        """Memory in MB, rounded up."""
        return math.ceil(self.memory / 1e6)


def formula(cost: Callable[..., Cost]) -> str:
    """Return the formula of a function that computes a Cost: the second paragraph of its docstring, as one line."""
    text = inspect.getdoc(cost) or ""
    return " ".join(text.split("\n\n")[1].split())
