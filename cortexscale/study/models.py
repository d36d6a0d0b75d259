"""Sections of the config for models: suites, the published suite, models of hubs, and models of the user."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from cortexscale.errors import did_you_mean
from cortexscale.recipe import Recipe
from cortexscale.section import Contradiction, FilePath, Label, Name, Named, NonEmpty, Once, Pattern, PythonFile, Section, Seed


class KnownNetwork(Section):
    """A network of timm or of the published suite."""

    timm: str | None = None
    """Name of a timm network."""
    arguments: dict[str, Any] = {}
    """Arguments of the timm network, such as those that set its size."""
    architecture: str | None = None
    """An architecture of the published suite, such as `resnet50` or `deit_small`, instead of `timm`."""

    def contradictions(self) -> Iterator[Contradiction]:
        if (self.architecture is None) == (self.timm is None):
            found = "neither `architecture` nor `timm`" if self.timm is None else "both `architecture` and `timm`"
            expected = "either `architecture` (of the published suite) or `timm` (a timm name)"
            yield Contradiction("architecture", found, expected, "give one of them")
        if self.arguments and self.architecture:
            yield Contradiction("arguments", ", ".join(self.arguments), "arguments of a `timm` network only", "remove them")


class SuiteArchitecture(KnownNetwork):
    """One architecture of a suite."""

    family: Label
    """Architecture family. Every family gets a scaling law of its own. A family `<name>Flex` is merged into `<name>`."""
    layers: NonEmpty[Pattern]
    """Candidate layers: regular expressions that match whole module names."""
    image_size: PositiveInt | None = None
    """Height and width of the input in pixels. The default is the `image_size` of the suite."""
    recipe: Recipe = Recipe()
    """Keys that differ from the recipe of the suite."""


class AdversarialCopies(Section):
    """Adversarial copies of full-data models of a suite. Ids are ``adv_<model>_ffgsm_eps-<eps>_alpha-<alpha>-ep<epochs>``."""

    architectures: NonEmpty[Name]
    """Architectures of the suite. Their full-data models are copied, and the copies are trained further."""
    recipe: Recipe = Recipe(preset="adversarial")
    """Recipe for training the copies. The default is the published recipe."""


class Suite(Section):
    """A controlled suite. The study trains every architecture on subsets of one labelled image set."""

    source: Literal["suite"]
    """A controlled suite. The study trains every architecture on subsets of one labelled image set."""
    dataset: Name
    """Name of the image set in model ids."""
    images: FilePath
    """Labelled images, in one of three layouts. An `.npz` file has `train_images`, `train_labels`, `validation_images` and
    `validation_labels`. An image folder has `train/<class>/*.jpg` and `val/<class>/*.jpg`, as ImageNet and Ecoset do. A folder of
    webdataset shards has `train*.tar` and `val*.tar`."""
    expected: PositiveInt
    """Number of training images of the full set. The resources of jobs are calculated from it before the images exist."""
    classes: Annotated[int, Field(ge=2)]
    """Number of classes."""
    image_size: PositiveInt
    """Height and width of the input in pixels."""
    architectures: Named[SuiteArchitecture]
    """Name of an architecture in model ids → the architecture."""
    samples_per_class: NonEmpty[NonNegativeInt]
    """Numbers of training images per class; 0 is the full set. One model is trained with each number of images."""
    seeds: NonEmpty[Seed] = [0]
    """Seeds of the subsets and trainings. One model is trained with each seed."""
    recipe: Recipe
    """Recipe for training all models of the suite."""
    adversarial: AdversarialCopies | None = None
    """Adversarial copies of the full-data models. Without this key there are none."""
    fit: bool = True
    """Fit the scaling laws to these models. Adversarial copies are always held out."""

    def contradictions(self) -> Iterator[Contradiction]:
        for name in self.adversarial.architectures if self.adversarial else ():
            if name not in self.architectures:
                expected = f"one of the suite's `architectures`: {', '.join(self.architectures)}"
                remedy = did_you_mean(name, self.architectures, "correct the name")
                yield Contradiction("adversarial.architectures", name, expected, remedy)
        if max(self.samples_per_class) * self.classes > self.expected:
            found = f"{max(self.samples_per_class)} images of each of {self.classes} classes"
            expected = f"at most {self.expected} images in all, as `expected` says"
            yield Contradiction("samples_per_class", found, expected, "correct one of the three")


class PublishedSuite(Section):
    """The 620 supervised ImageNet and Ecoset checkpoints of Gokce & Schrimpf (2025)."""

    source: Literal["spvvs"]
    """The 620 supervised ImageNet and Ecoset checkpoints of Gokce & Schrimpf (2025)."""
    path: FilePath
    """Folder of the checkpoints. Each checkpoint is a file `<model id>/ep<epoch>.pt`."""
    only: Once[str] = ["*"]
    """Shell patterns of the ids of the models that are used, such as `resnet18_imagenet_*`."""
    download: bool = True
    """Download checkpoints that are missing from the folder. With false, a missing checkpoint is an error."""
    ema: bool | Literal["auto"] = "auto"
    """Whether to load the moving average of the weights (EMA). `auto` loads the average if the file has one, as the suite's own
    loader does for its ConvNeXts and ViTs. `false` loads the raw weights, as the code of the paper does."""
    fit: bool = True
    """Fit the scaling laws to these models. With false, the models are held out."""


Layers = NonEmpty[Pattern] | str


class HubModels(Section):
    """Pretrained models that are downloaded by their ids."""

    ids: NonEmpty[str]
    """Ids of the models in their hub."""
    layers: Layers
    """Candidate layers: regular expressions of module names, or a family of cortexscale/models/families.py."""
    pretraining_samples: dict[str, PositiveInt] = {}
    """Id → number of training images, if the id does not contain the number. Scaling laws of samples and compute need this
    number."""
    family: Label | None = None
    """Architecture family. If the suite has this family, the models belong to it. With a new name, the models get a scaling law
    of their own. The default with `timm` is the family that the id names, such as ConvNeXt. With `huggingface` it is the family
    that `layers` names, or else `huggingface`."""
    fit: bool = False
    """Fit the scaling laws to these models. By default the models are held out: figures show them, but laws are not fitted to
    them."""

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
    """Keys that describe one model of the user."""

    id: Name
    """Id of the model in results."""
    reference: Name | None = None
    """Model whose committed layers this model uses. By default the layers of this model itself are searched."""
    dataset: str | None = None
    """Name of the image set that the model was trained on. It appears in the tables."""
    samples: PositiveInt | None = None
    """Number of training images. Without this key the axes of samples and compute do not show the model."""
    seed: Seed | None = None
    """Seed with which the model was trained. It appears in the tables."""
    ema: bool | Literal["auto"] = "auto"
    """Whether to load the moving average of the weights (EMA). `auto` loads the average if the file has one."""
    weights_at: str | None = None
    """Key of the weights in the file, such as `teacher` or `state_dict.encoder_q`. Give this key if several sets of weights in
    the file fit the network."""
    fit: bool = False
    """Fit the scaling laws to this model. By default the model is held out: figures show it, but laws are not fitted to it."""


class CheckpointModel(KnownNetwork, OwnModel):
    """The user's weights in a known architecture."""

    source: Literal["checkpoint"]
    """Your own weights in a known architecture."""
    file: FilePath
    """Path of the weights: a state dict, or a checkpoint that contains one."""
    classes: PositiveInt
    """Number of outputs of the classifier."""
    family: Label | None = None
    """Architecture family. The default is the family of the architecture."""
    layers: Layers | None = None
    """Candidate layers: regular expressions of module names, or the name of a family. The default is the layers of `family`."""
    image_size: PositiveInt | None = None
    """Number of pixels to which the shorter side of images is resized before the centre is cropped. The default is the size that
    the architecture uses."""


class PythonModel(OwnModel):
    """A network that a function of the user builds."""

    source: Literal["python"]
    """A network that your own function builds (docs/models.md)."""
    file: PythonFile
    """Path of the Python file with the function."""
    function: str = "build"
    """Name of the function. It returns a `torch.nn.Module`, which must have its weights unless `checkpoint` is given."""
    arguments: dict[str, Any] = {}
    """Arguments that the function is called with."""
    transform: str | None = None
    """Name of a function in the file that turns an RGB image into a (3, height, width) tensor. By default images are resized to
    256 pixels, cropped to 224 and normalised."""
    checkpoint: FilePath | None = None
    """Path of the weights: a state dict."""
    family: Label
    """Architecture family."""
    layers: Layers
    """Candidate layers: regular expressions that match whole module names, or the name of a family."""


Models = Annotated[
    Suite | PublishedSuite | TimmModels | HuggingFaceModels | CheckpointModel | PythonModel, Field(discriminator="source")
]


class Training(Section):
    """Resources for training a model of a suite."""

    gpus: PositiveInt = 1
    """Number of GPUs of one machine that each training uses. If the number divides the size of a micro-batch, the result is the
    same as with one GPU, except for rounding."""
