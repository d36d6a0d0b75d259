"""Where a dataset comes from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A release, for people who fetch and cite it.

    Attributes:
        title: what was recorded from whom.
        citation: the paper to cite.
        licence: licence, and any agreement that a person must accept first.
        get: where the files are and how to fetch the ones that are read, with names and accession numbers.
    """

    title: str
    citation: str
    licence: str
    get: str
