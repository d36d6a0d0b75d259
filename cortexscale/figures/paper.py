"""The figures of the paper. ``paper.tsv`` lists the name of each figure in the paper and the content that it shows."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper.

    Attributes:
        content: name of the content in the registry.
        variant: variant of the content. If the variants of the content are datasets, the figure shows the dataset of the first
            reader.
        readers: readers of the datasets that the figure shows. Without readers and modalities, the figure shows all datasets.
        modalities: modalities of the datasets that the figure shows.
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
"""Name in the paper -> figure."""
