"""Sections of alignment: features, ridge, similarity, committed layers, and what projection costs."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Name, Section, Seed


class Projection(Section):
    """Random projection of flattened activations (paper, section 3)."""

    family: Literal["sparse", "countsketch", "gaussian", "exact"] = "sparse"
    """Kind of random matrix: `sparse` is the paper's, `countsketch` is faster. `exact` projects nothing: kernels of all
    activations take the place of features, and the other keys have no effect."""
    dimensions: PositiveInt = 30_000
    """Dimensions after the projection. Layers with fewer activations are kept as they are."""
    seed: int = 42
    """Seed of the random matrix. Change it to see how much scores depend on the projection."""


class Features(Section):
    """How features are extracted from the layers of a network."""

    projection: Projection = Projection()
    """Random projection of the flattened activations of a layer."""
    precision: Literal["float16", "bfloat16", "float32"] = "float16"
    """Number format of forward passes on a GPU; a CPU computes in float32. Choose float32 or bfloat16 for a network whose
    activations overflow float16."""
    batch_size: PositiveInt = 32
    """Images of a forward pass. Lower it when the memory of the GPU is too small."""
    scratch_gb: PositiveInt = 100
    """Disk space in GB for the activations that exact kernels are made of. With less space, images pass through the network
    more often."""


class Alphas(Section):
    """Ridge penalties: ``count`` values from 10**low to 10**high."""

    low: float = 1
    """Exponent of the smallest penalty: 1 stands for 10. Penalties are absolute, not relative to the size of features."""
    high: float = 7
    """Exponent of the largest penalty: 7 stands for 10 million."""
    count: PositiveInt = 10
    """Number of penalties, evenly spaced in the logarithm."""
    search: Literal["adaptive", "full"] = "adaptive"
    """`adaptive` evaluates only penalties near the minimum of each ROI, `full` all of them. The results are the same if the
    error has a single minimum."""


class Folds(Section):
    """Outer cross-validation of the layer search."""

    count: Annotated[int, Field(ge=2)] = 5
    """Number of folds."""
    kind: Literal["contiguous", "shuffled", "grouped"] = "contiguous"
    """How stimuli are assigned to folds: in their order (`contiguous`), at random (`shuffled`), or at random with all stimuli
    of a concept (THINGS, MajajHong2015) or family of textures (FreemanZiemba2013) in one fold (`grouped`)."""
    seed: int = 42
    """Seed of the random assignment; without effect on contiguous folds."""


class Ridge(Section):
    """Ridge regression from features to responses."""

    alphas: Alphas = Alphas()
    """Penalties that are tried."""
    alpha_per: Literal["roi", "unit"] = "roi"
    """Choose one penalty per ROI, or one per `unit`, which needs `alphas.search: full`."""
    folds: Folds = Folds()
    """Cross-validation of the layer search."""
    precision: Literal["auto", "float32", "float64"] = "auto"
    """Number format of ridge: `auto` is float64 where the device computes it fast (any CPU), else float32."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.alpha_per == "unit" and self.alphas.search != "full":
            expected = "`full` with `alpha_per: unit`, because the error of a single unit may have several minima"
            yield Contradiction("alphas.search", self.alphas.search, expected, "set alphas.search: full, or alpha_per: roi")


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
