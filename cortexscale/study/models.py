"""Sections of models: suites that are trained here or were published, models of hubs, and those of the user."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from cortexscale.errors import did_you_mean
from cortexscale.recipe import Recipe
from cortexscale.section import Contradiction, Name, NonEmpty, Section, Seed


class KnownNetwork(Section):
    """A network of timm or of the published suite."""

    timm: str | None = None
    """Name of a timm network."""
    arguments: dict[str, Any] = {}
    """Arguments of the timm network, which set its size."""
    architecture: str | None = None
    """Instead of `timm`: an architecture of the published suite, such as `resnet50` or `deit_small`."""

    def contradictions(self) -> Iterator[Contradiction]:
        if (self.architecture is None) == (self.timm is None):
            found = "neither `architecture` nor `timm`" if self.timm is None else "both `architecture` and `timm`"
            expected = "either `architecture` (of the published suite) or `timm` (a timm name)"
            yield Contradiction("architecture", found, expected, "give one of them")
        if self.arguments and self.architecture:
            yield Contradiction("arguments", ", ".join(self.arguments), "arguments of a `timm` network only", "remove them")


class SuiteArchitecture(KnownNetwork):
    """One architecture of a suite."""

    family: str
    """Architecture family, to which a law of its own is fitted. A family `<name>Flex` is merged into `<name>`."""
    layers: NonEmpty[str]
    """Candidate layers: regular expressions that match whole module names."""
    image_size: PositiveInt | None = None
    """Height and width of its input in pixels, if not that of the suite."""
    recipe: Recipe = Recipe()
    """Keys that differ from the recipe of the suite."""


class AdversarialCopies(Section):
    """Full-data models of a suite, trained on against attacks: ``adv_<model>_ffgsm_eps-<eps>_alpha-<alpha>-ep<epochs>``."""

    architectures: NonEmpty[Name]
    """Architectures of the suite, whose full-data models are copied and trained further."""
    recipe: Recipe = Recipe(preset="adversarial")
    """Recipe of the copies; by default the published one."""


class Suite(Section):
    """A controlled suite: every architecture is trained here, on subsets of one labelled image set."""

    source: Literal["suite"]
    """A controlled suite: every architecture is trained here, on subsets of one labelled image set."""
    dataset: Name
    """Name of the image set in model ids."""
    images: str
    """Labelled images: an `.npz` with `train_images`, `train_labels`, `validation_images`, `validation_labels`; a folder with
    `train/<class>/*.jpg` and `val/<class>/*.jpg` (ImageNet, Ecoset); or a folder with webdataset shards `train*.tar` and
    `val*.tar`."""
    expected: PositiveInt
    """Training images of the full set, which sizes jobs before the images are there."""
    classes: Annotated[int, Field(ge=2)]
    """Number of classes."""
    image_size: PositiveInt
    """Height and width of the input in pixels."""
    architectures: dict[Name, SuiteArchitecture]
    """Architectures, by the name that model ids have for them."""
    samples_per_class: NonEmpty[NonNegativeInt]
    """Training images per class, one model each; 0 is the full set."""
    seeds: NonEmpty[Seed] = [0]
    """Seeds of the subsets and trainings, one model each."""
    recipe: Recipe
    """Recipe of all models of the suite."""
    adversarial: AdversarialCopies | None = None
    """Train copies of the full-data models further, against attacks."""
    fit: bool = True
    """Fit the scaling laws to these models. Adversarial copies are held out in any case."""

    def contradictions(self) -> Iterator[Contradiction]:
        for name in self.adversarial.architectures if self.adversarial else ():
            if name not in self.architectures:
                expected = f"one of the suite's `architectures`: {', '.join(self.architectures)}"
                remedy = did_you_mean(name, self.architectures, "correct the name")
                yield Contradiction("adversarial.architectures", name, expected, remedy)
        for key, values in (("samples_per_class", self.samples_per_class), ("seeds", self.seeds)):
            if 0 not in values:
                expected = "0 among them: the model of the full set and seed 0 is the reference model of its architecture"
                yield Contradiction(key, ", ".join(map(str, values)), expected, "add 0")


class PublishedSuite(Section):
    """The 620 supervised ImageNet and Ecoset checkpoints of Gokce & Schrimpf (2025)."""

    source: Literal["spvvs"]
    """The 620 supervised ImageNet and Ecoset checkpoints of Gokce & Schrimpf (2025)."""
    path: str
    """Folder of the checkpoints, `<model id>/ep<epoch>.pt`."""
    only: list[str] = ["*"]
    """Shell patterns of model ids, such as `resnet18_imagenet_*`."""
    download: bool = True
    """Download checkpoints that the folder lacks. With false a missing checkpoint is an error."""
    ema: bool | Literal["auto"] = "auto"
    """Load averaged weights, where the file has both. `auto` prefers them, as the authors do."""
    fit: bool = True
    """Fit the scaling laws to these models. With false they are held out."""


Layers = NonEmpty[str] | str


class HubModels(Section):
    """Pretrained models that are fetched by their ids."""

    ids: NonEmpty[str]
    """Ids of the models, as their hub names them."""
    layers: Layers
    """Candidate layers: regular expressions of module names, or a family of cortexscale/models/families.py."""
    pretraining_samples: dict[str, PositiveInt] = {}
    """Id → number of training images, if it is not in the id. Scaling laws of samples and compute need it."""
    family: str | None = None
    """Architecture family. The default is the family that `layers` names for `huggingface`, else the source. A name of your
    own gives the models a law of their own, and the name of a family of the suite makes them join it."""
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
    """Pretrained timm models."""


class HuggingFaceModels(HubModels):
    """Pretrained vision models of the Hugging Face hub. They need the package ``transformers``."""

    source: Literal["huggingface"]
    """Pretrained vision models of the Hugging Face hub. They need the package `transformers`."""
    ids: NonEmpty[Annotated[str, Field(pattern=r"^([\w.-]+/)?[\w.-]+$")]]
    """Ids of the models, `owner/name`. The model id in results is the name."""


class OwnModel(Section):
    """Facts of one model of the user's own."""

    id: Name
    """Id of the model in results."""
    reference: Name | None = None
    """Model whose committed layers this one uses; by default its own layers are searched."""
    dataset: str | None = None
    """Name of the image set that it was trained on, for the tables."""
    samples: PositiveInt | None = None
    """Number of training images. The axes of samples and compute show the model only with this key."""
    seed: Seed | None = None
    """Seed of its training, for the tables."""
    fit: bool = False
    """Fit the scaling laws to this model. By default it is held out: figures show it beside the curves."""


class CheckpointModel(KnownNetwork, OwnModel):
    """Own weights in a known architecture."""

    source: Literal["checkpoint"]
    """Your own weights in a known architecture."""
    file: str
    """A state dict, or a checkpoint that holds one."""
    classes: PositiveInt
    """Number of outputs of the classifier."""
    family: str | None = None
    """Architecture family; by default that of the published architecture."""
    layers: Layers | None = None
    """Candidate layers: regular expressions of module names, or a family of layers; by default those of `family`."""
    image_size: PositiveInt | None = None
    """Resize the shorter side of images to this many pixels and crop the centre. The default is that of the architecture."""
    ema: bool | Literal["auto"] = "auto"
    """Load averaged weights, where the file has both. `auto` prefers them."""


class PythonModel(OwnModel):
    """A network from a function of the user's own."""

    source: Literal["python"]
    """A network from a function of your own (docs/models.md)."""
    file: Annotated[str, Field(pattern=r"\.py$")]
    """Python file with the function."""
    function: str = "build"
    """Function that returns a `torch.nn.Module`, with its weights unless there is a `checkpoint`."""
    arguments: dict[str, Any] = {}
    """Arguments of the function."""
    transform: str | None = None
    """Function of the file from an RGB image to a (3, height, width) tensor. By default images are resized to 256 pixels,
    cropped to 224 and normalised."""
    checkpoint: str | None = None
    """File with the weights, a state dict."""
    family: str
    """Architecture family."""
    layers: Layers
    """Candidate layers: regular expressions that match whole module names, or the name of a family."""


Models = Annotated[
    Suite | PublishedSuite | TimmModels | HuggingFaceModels | CheckpointModel | PythonModel, Field(discriminator="source")
]


class Training(Section):
    """Resources of a training of a suite's model."""

    gpus: PositiveInt = 1
    """GPUs of one machine for each training. If they divide micro-batches, the result is the same except for rounding."""
