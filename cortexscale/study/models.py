"""Sections of models: suites that are trained here or were published, models of hubs, and those of the user."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from cortexscale.recipe import Recipe
from cortexscale.study.section import Name, Section


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

    @model_validator(mode="after")
    def has_one_architecture(self) -> "SuiteArchitecture":
        if (self.architecture is None) == (self.timm is None):
            raise ValueError("give either `architecture` (of the published suite) or `timm` (a timm name)")
        return self


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
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    recipe: Recipe
    adversarial: AdversarialCopies | None = None

    @model_validator(mode="after")
    def adversarial_copies_have_originals(self) -> "Suite":
        copied = self.adversarial.architectures if self.adversarial else []
        unknown = sorted(set(copied) - set(self.architectures))
        if unknown:
            raise ValueError(f"adversarial.architectures: {', '.join(unknown)} not among {', '.join(self.architectures)}")
        return self

    @model_validator(mode="after")
    def has_reference(self) -> "Suite":
        if 0 not in self.samples_per_class or 0 not in self.seeds:
            raise ValueError(
                "samples_per_class and seeds must both hold 0: the full-data, seed-0 model is the reference of its architecture"
            )
        return self


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


Layers = Annotated[list[str], Field(min_length=1)] | str
"""Candidate layers: regular expressions over whole module names, or the name of a family of ``cortexscale.models.families``."""


class HubModels(Section):
    """What is said of pretrained models that are fetched by their ids, and held out from the fits of the suites."""

    ids: Annotated[list[str], Field(min_length=1)]
    layers: Layers
    pretraining_samples: dict[str, PositiveInt] = {}
    """Training images per entry of ``ids``, by default what the id tells; only models with a known number appear on the axes of
    samples and compute.
    """

    @model_validator(mode="after")
    def samples_are_of_its_models(self) -> "HubModels":
        unknown = sorted(set(self.pretraining_samples) - set(self.ids))
        if unknown:
            raise ValueError(f"pretraining_samples: {', '.join(unknown)} not among `ids`")
        return self


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
    """Images that it was trained on, where known: it appears on the samples and compute axes, held out from the fits."""
    seed: Annotated[int, Field(ge=0)] | None = None


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

    @model_validator(mode="after")
    def has_one_architecture(self) -> "CheckpointModel":
        if (self.architecture is None) == (self.timm is None):
            raise ValueError("give either `architecture` (of the published suite) or `timm` (a timm name)")
        if self.arguments and not self.timm:
            raise ValueError("`arguments` go with `timm`")
        return self


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
