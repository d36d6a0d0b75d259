"""Sections of alignment: features, ridge, similarity, committed layers, and what projection costs."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Name, Section, Seed


class Projection(Section):
    """Random projection of flattened activations (paper, section 3)."""

    family: Literal["sparse", "countsketch", "gaussian", "exact"] = "sparse"
    """``exact`` projects nothing: kernels of all activations take the place of features, and know no other key here."""
    dimensions: PositiveInt = 30_000
    seed: int = 42


class Features(Section):
    projection: Projection = Projection()
    precision: Literal["float16", "bfloat16", "float32"] = "float16"
    """Of forward passes on a GPU; float16 as in the paper. A CPU computes in float32."""
    batch_size: PositiveInt = 32
    scratch_gb: PositiveInt = 100
    """Room on disk for the activations that exact kernels are made of; with less, images pass the network more often."""


class Alphas(Section):
    """Ridge penalties: ``count`` values from 10**low to 10**high."""

    low: float = 1
    high: float = 7
    count: PositiveInt = 10
    search: Literal["adaptive", "full"] = "adaptive"
    """Evaluate those around the minimum of each ROI, or all; the same wherever the error has one valley."""


class Folds(Section):
    """Outer cross-validation of the layer search."""

    count: Annotated[int, Field(ge=2)] = 5
    kind: Literal["contiguous", "shuffled", "grouped"] = "contiguous"
    """``grouped`` keeps the images of a concept (THINGS, MajajHong2015; a family of textures) in one fold."""
    seed: int = 42


class Ridge(Section):
    alphas: Alphas = Alphas()
    alpha_per: Literal["roi", "unit"] = "roi"
    folds: Folds = Folds()
    precision: Literal["auto", "float32", "float64"] = "auto"

    def contradictions(self) -> Iterator[Contradiction]:
        if self.alpha_per == "unit" and self.alphas.search != "full":
            expected = "`full` with `alpha_per: unit`, because the error of a single unit may have several minima"
            yield Contradiction("alphas.search", self.alphas.search, expected, "set alphas.search: full, or alpha_per: roi")


class Similarity(Section):
    """RSA and CKA between committed layers and responses."""

    splits: list[Literal["train", "test"]] = ["test"]
    """A geometry of n images takes 4 n**2 bytes: 2 GB for each subject and ROI of a THINGS training split."""


class LayerCommitment(Section):
    borrow: bool = True
    """Search layers on the reference model of an architecture only; its other checkpoints borrow the result."""
    commit: Literal["search", "published"] = "search"
    """Search the layers, or take those that the authors published; models that they do not list are searched."""
    file: str | None = None
    """Their ``layer_commitments.json``, or ``.json.gz``."""

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
    """Model id -> numbers of dimensions."""
    family: Literal["sparse", "countsketch", "gaussian"] = "sparse"
    seeds: Annotated[list[Seed], Field(min_length=1)] = [42]
    stimuli: list[Name] | None = None
    """By default all stimulus sets."""
