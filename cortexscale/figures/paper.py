"""The figures of the paper: ``paper.tsv`` has its names for figures, and the content that each of them shows."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper.

    Attributes:
        content: key of the registry.
        variant: variant of the content; a figure of one dataset shows that of the first of ``readers``.
        readers: readers of the datasets that it shows; without any, and without ``modalities``, it shows all datasets.
        modalities: modalities of the datasets that it shows.
    """

    content: str
    variant: str | None = None
    readers: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()


def _figures() -> dict[str, PaperFigure]:
    rows = csv.reader(Path(__file__).with_name("paper.tsv").read_text(encoding="utf-8").splitlines()[1:], delimiter="\t")
    return {
        name: PaperFigure(content, variant or None, tuple(readers.split()), tuple(modalities.split()))
        for name, content, variant, readers, modalities in rows
    }


PAPER = _figures()
"""Name in the paper -> what it shows."""
