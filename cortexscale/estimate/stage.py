"""One line of an estimate."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """Jobs of one kind.

    Attributes:
        seconds: of each job.
        mb: what the largest job asks for.
        disk: bytes that stay.
        formula: how seconds and disk were reckoned.
    """

    name: str
    seconds: list[float]
    mb: int
    disk: float
    formula: str
