"""Sections of alignment: similarity, committed layers, and what projection costs."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Name, Section, Seed


class Similarity(Section):
    """RSA and CKA between committed layers and responses."""

    splits: list[Literal["train", "test"]] = ["test"]
    """Stimuli on which RSA and CKA are computed; an empty list for neither. A geometry of n stimuli takes 4 n² bytes for each
    subject and ROI: 2 GB on the training stimuli of THINGS."""


class LayerCommitment(Section):
    """How the layer that predicts a ROI is chosen for each model."""

    borrow: bool = True
    """Search layers on the reference model of an architecture only, and use the result for its other checkpoints. With false
    every model has its own search."""
    commit: Literal["search", "published"] = "search"
    """Search the layers, or take those that the authors published. Models that the authors do not list are searched in any
    case."""
    file: str | None = None
    """The authors' `layer_commitments.json` or `.json.gz`, with `commit: published`."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.commit == "published" and self.file is None:
            yield Contradiction(
                "file", "nothing", "the authors' file, with `commit: published`", "add its path, or set commit: search"
            )
        if self.commit == "search" and self.file is not None:
            yield Contradiction("file", self.file, "no file with `commit: search`", "set commit: published, or remove the file")


class ProjectionStudy(Section):
    """Alignment of some models with projected features beside that with all activations (figures S9 and S10)."""

    models: Annotated[dict[str, Annotated[list[PositiveInt], Field(min_length=1)]], Field(min_length=1)]
    """Model id → numbers of dimensions that are compared with all activations."""
    family: Literal["sparse", "countsketch", "gaussian"] = "sparse"
    """Kind of random matrix."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [42]
    """Seeds of the random matrix; each is a comparison of its own."""
    stimuli: list[Name] | None = None
    """Stimulus sets on which models are compared; by default all."""
