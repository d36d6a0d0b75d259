"""Sections of models: suites that are trained here or were published, models of hubs, and those of the user."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from cortexscale.errors import did_you_mean
from cortexscale.recipe import Recipe
from cortexscale.section import Contradiction, Name, Section, Seed


def _one_architecture(architecture: str | None, timm: str | None) -> Iterator[Contradiction]:
    if (architecture is None) == (timm is None):
        found = "neither `architecture` nor `timm`" if timm is None else "both `architecture` and `timm`"
        expected = "either `architecture` (of the published suite) or `timm` (a timm name)"
        yield Contradiction("architecture", found, expected, "give one of them")


class SuiteArchitecture(Section):
    """One architecture of a suite."""

    family: str
    timm: str | None = None
    """A timm name, with the ``arguments`` that set its size."""
    arguments: dict[str, Any] = {}
    architecture: str | None = None
    """Or an architecture of the published suite, such as ``resnet50`` or ``deit_small``."""
    layers: Annotated[list[str], Field(min_length=1)]
    """Candidate layers: regular expressions over whole module names."""
    image_size: PositiveInt | None = None
    """Where it differs from the suite's."""
    recipe: Recipe = Recipe()
    """What differs from the suite's."""

    def contradictions(self) -> Iterator[Contradiction]:
        yield from _one_architecture(self.architecture, self.timm)


class AdversarialCopies(Section):
    """Full-data models of a suite, trained on against attacks: ``adv_<model>_ffgsm_eps-<eps>_alpha-<alpha>-ep<epochs>``."""

    architectures: Annotated[list[Name], Field(min_length=1)]
    recipe: Recipe = Recipe(preset="adversarial")


class Suite(Section):
    """A controlled suite: every architecture trained on subsets of one labelled image set."""

    source: Literal["suite"]
    dataset: Name
    images: str
    """Labelled images: an ``.npz`` with ``train_images``, ``train_labels``, ``validation_images``, ``validation_labels``; a
    folder with ``train/<class>/*.jpg`` and ``val/<class>/*.jpg`` (ImageNet, Ecoset); or one with webdataset shards
    ``train*.tar`` and ``val*.tar``."""
    expected: PositiveInt
    """Training images of the full set; sizes jobs before the images are there."""
    classes: Annotated[int, Field(ge=2)]
    image_size: PositiveInt
    architectures: dict[Name, SuiteArchitecture]
    samples_per_class: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """Training images per class; 0 is the full set, as in the published tables."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    recipe: Recipe
    adversarial: AdversarialCopies | None = None
    fit: bool = True
    """Fit the scaling laws to these models; adversarial copies are held out in any case."""

    def contradictions(self) -> Iterator[Contradiction]:
        for name in self.adversarial.architectures if self.adversarial else ():
            if name not in self.architectures:
                expected = f"one of the suite's `architectures`: {', '.join(self.architectures)}"
                yield Contradiction(
                    "adversarial.architectures", name, expected, did_you_mean(name, self.architectures, "correct the name")
                )
        for key, values in (("samples_per_class", self.samples_per_class), ("seeds", self.seeds)):
            if 0 not in values:
                expected = "0 among them: the model of the full set and seed 0 is the reference model of its architecture"
                yield Contradiction(key, ", ".join(map(str, values)), expected, "add 0")


class PublishedSuite(Section):
    """The 620 supervised ImageNet and Ecoset checkpoints of Gokce & Schrimpf (2025)."""

    source: Literal["spvvs"]
    path: str
    """Folder of checkpoints, ``<model id>/ep<epoch>.pt``."""
    only: list[str] = ["*"]
    """Shell patterns over model ids."""
    download: bool = True
    """Fetch what the folder lacks from the authors; otherwise that is an error."""
    ema: bool | Literal["auto"] = "auto"
    """Load averaged weights, where the file has both; ``auto`` prefers them, as the authors do."""
    fit: bool = True
    """Fit the scaling laws to these models."""


Layers = Annotated[list[str], Field(min_length=1)] | str
"""Candidate layers: regular expressions over whole module names, or the name of a family of ``cortexscale.models.families``."""


class HubModels(Section):
    """What is said of pretrained models that are fetched by their ids."""

    ids: Annotated[list[str], Field(min_length=1)]
    layers: Layers
    pretraining_samples: dict[str, PositiveInt] = {}
    """Training images per entry of ``ids``, by default what the id tells; only models with a known number appear on the axes of
    samples and compute.
    """
    family: str | None = None
    """Architecture family of these models. By default that of ``layers`` for Hugging Face models that name one, else the
    source. Set it to fit a law to the family, or to let the models join a family of the suite."""
    fit: bool = False
    """Fit the scaling laws to these models. By default they are held out: figures show them beside the curves."""

    def contradictions(self) -> Iterator[Contradiction]:
        for name in self.pretraining_samples:
            if name not in self.ids:
                remedy = did_you_mean(name, self.ids, "correct the id, or add it to `ids`")
                yield Contradiction("pretraining_samples", name, "one of `ids`", remedy)


class TimmModels(HubModels):
    """Pretrained timm models."""

    source: Literal["timm"]


class HuggingFaceModels(HubModels):
    """Pretrained vision models of the Hugging Face hub; needs the package ``transformers``. A model's id is the name
    after the slash.
    """

    source: Literal["huggingface"]
    ids: Annotated[list[Annotated[str, Field(pattern=r"^([\w.-]+/)?[\w.-]+$")]], Field(min_length=1)]


class OwnModel(Section):
    """What is said of one model of the user's own."""

    id: Name
    reference: Name | None = None
    """The model whose committed layers this one borrows; by default its own are searched."""
    dataset: str | None = None
    samples: PositiveInt | None = None
    """Images that it was trained on, where known: it appears on the samples and compute axes."""
    seed: Seed | None = None
    fit: bool = False
    """Fit the scaling laws to this model. By default it is held out: figures show it beside the curves."""


class CheckpointModel(OwnModel):
    """Own weights in a known architecture."""

    source: Literal["checkpoint"]
    file: str
    """A state dict, or a checkpoint that holds one."""
    architecture: str | None = None
    """One of the published suite, such as ``resnet50`` or ``deit_small``."""
    timm: str | None = None
    """Or a timm name, with its ``arguments``."""
    arguments: dict[str, Any] = {}
    classes: PositiveInt
    """Outputs of the classifier."""
    family: str | None = None
    """By default that of the published architecture."""
    layers: Layers | None = None
    """By default those of the family."""
    image_size: PositiveInt | None = None
    """Resize the shorter side to this and crop the centre; by default the evaluation of the architecture."""
    ema: bool | Literal["auto"] = "auto"
    """Load averaged weights, where the file has both; `auto` prefers them."""

    def contradictions(self) -> Iterator[Contradiction]:
        yield from _one_architecture(self.architecture, self.timm)
        if self.arguments and self.architecture:
            yield Contradiction("arguments", ", ".join(self.arguments), "arguments of a `timm` network only", "remove them")


class PythonModel(OwnModel):
    """A network from a function of the user's own."""

    source: Literal["python"]
    file: Annotated[str, Field(pattern=r"\.py$")]
    function: str = "build"
    """Returns a ``torch.nn.Module``, with its weights unless there is a ``checkpoint``."""
    arguments: dict[str, Any] = {}
    """Of the function."""
    transform: str | None = None
    """A function of the file: RGB picture -> (3, height, width) tensor. By default resize to 256, crop to 224, normalise."""
    checkpoint: str | None = None
    family: str
    layers: Layers


Models = Annotated[
    Suite | PublishedSuite | TimmModels | HuggingFaceModels | CheckpointModel | PythonModel, Field(discriminator="source")
]


class Training(Section):
    """What a training of a suite's model may use."""

    gpus: PositiveInt = 1
    """Of one machine. Their number does not change the result beyond rounding, as long as it divides the micro-batches."""
