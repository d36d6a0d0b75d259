"""How networks are trained, as a section of the config.

A module of its own: stages that train depend on its code, and not on that of all other sections.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cortexscale.section import Contradiction, Section

Share = Annotated[float, Field(gt=0, lt=1)]


class Attack(Section):
    """Adversarial training: a picture is moved against the network before each step, in levels of 255 (FFGSM)."""

    eps: PositiveFloat
    """The largest change of a pixel."""
    alpha: PositiveFloat
    """The length of the move, from a random start within ``eps``."""


class Recipe(Section):
    """How networks are trained. Keys that are not given are those of the preset, or have the values below."""

    preset: str | None = None
    """A recipe of ``cortexscale.models.training.recipes``; ``recipe: resnet`` is short for ``recipe: {preset: resnet}``."""
    epochs: PositiveFloat | None = None
    """Passes over the training set; or say ``steps``."""
    steps: PositiveInt | None = None
    """Steps of the optimiser: as many for a small set as for a large one."""
    batch: PositiveInt = 256
    """Images of a step, on all GPUs together; all images where the set is smaller."""
    micro_batch: PositiveInt | None = None
    """Images that are normalised and mixed together, and that a GPU must hold at a time; by default all of the batch."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    """At the end of the warm-up."""
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Of weights, not of biases and norm scales."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the training over which the learning rate rises."""
    decay: Literal["cosine", "linear"] = "cosine"
    clip: PositiveFloat | None = None
    """The largest norm of the gradient."""
    ema: Share | None = None
    """Keep a moving average of the weights with this decay; it is the result of the training."""
    drop_path: Share | None = None
    """Stochastic depth of a transformer, the same in every block (DeiT-III). Other networks bring their own."""
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Of the labels."""
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Random resized crops of at least this share of the area; 1 is the central square. All pictures are mirrored at random."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    auto_augment: str | None = None
    """As timm words it: ``rand-m9-mstd0.5-inc1`` (RandAugment), ``3a`` (3-Augment)."""
    color_jitter: Annotated[float, Field(ge=0)] = 0.0
    """Beside RandAugment, timm leaves it out."""
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a rectangle is replaced by noise."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    repeats: PositiveInt = 1
    """Repeated augmentation: an epoch shows so many versions of a random 1/``repeats`` of the images."""
    attack: Attack | None = None

    @model_validator(mode="before")
    @classmethod
    def preset_alone(cls, given: Any) -> Any:
        return {"preset": given} if isinstance(given, str) else given

    @property
    def augments(self) -> bool:
        """Whether single pictures are changed, beyond being mirrored."""
        return self.crop < 1 or self.auto_augment is not None or self.color_jitter > 0

    @property
    def mixes(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0


class Jitter(Section):
    """How the view of a stimulus is moved at random before each step of a fine-tuning (paper, appendix G.1); 0 for not at all."""

    shift: Annotated[float, Field(ge=0)] = 0.5
    """At most so far, horizontally and vertically, in degrees of visual angle."""
    rotation: Annotated[float, Field(ge=0)] = 0.5
    """At most so far, in degrees."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.1 / 8
    """At most by this share: 0.1 degrees of visual angle across the field of view."""
    field_of_view: PositiveFloat = 8.0
    """Degrees of visual angle that the network's input spans."""


class Lora(Section):
    """Low-rank adapters in place of full fine-tuning (paper, appendix I)."""

    rank: PositiveInt = 32
    alpha: PositiveFloat = 32.0
    """Updates are scaled by ``alpha`` / ``rank``."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Of the input of adapters."""
    targets: tuple[str, ...] = ("qkv", "fc1", "fc2")
    """Last part of the names of the linear layers that get an adapter."""
    train_head: bool = True
    """Whether the classifier moves, with all its weights."""


class NeuralRecipe(Section):
    """How a network is fine-tuned on responses and on its task. The values are those of the paper (Table S3)."""

    epochs: PositiveInt = 20
    """Passes over the stimuli of the responses."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    """Epochs over which the learning rate rises; a cosine from step to step follows."""
    learning_rate: PositiveFloat = 1e-5
    min_learning_rate: Annotated[float, Field(ge=0)] = 1e-6
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Of all weights that move, biases and norm scales included, as in the authors' code."""
    image_batch: PositiveInt = 512
    """Labelled images of a step."""
    neural_batch: PositiveInt = 256
    """Stimuli of a step, of each subject."""
    micro_batch: PositiveInt | None = None
    """Pictures that the device must hold at a time; by default all of a batch."""
    lambda_img: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the cross-entropy of labelled images; with 0 none are needed."""
    lambda_neural: Annotated[float, Field(ge=0)] = 100.0
    """Weight of the loss of responses, which is summed over subjects and ROIs."""
    loss: Literal["mse", "mae", "cka", "logcka"] = "mse"
    """Of the responses of a subject and ROI: mean over stimuli and units, or 1 - CKA, or log(1 - CKA)."""
    batch_norm: Literal["both", "images", "frozen"] = "both"
    """Which batches are normalised by their own statistics and move the running ones: those of images and of stimuli, as in the
    authors' code, those of images, or none. The others are normalised by the running statistics, as in evaluation."""
    jitter: Jitter = Jitter()
    lora: Lora | None = None
    """Adapters in place of full fine-tuning."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.warmup_epochs >= self.epochs:
            expected = f"fewer than the {self.epochs} epochs, of which some must train at the full rate"
            yield Contradiction("warmup_epochs", str(self.warmup_epochs), expected, "lower warmup_epochs, or raise epochs")
        if self.min_learning_rate > self.learning_rate:
            expected = f"at most the learning_rate, {self.learning_rate:g}"
            yield Contradiction("min_learning_rate", f"{self.min_learning_rate:g}", expected, "lower min_learning_rate")
        if not self.lambda_img and not self.lambda_neural:
            expected = "a weight above 0 for the loss of the images or that of the responses"
            yield Contradiction("lambda_neural", "0, as lambda_img", expected, "raise one of them")
