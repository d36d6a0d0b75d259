"""Sections of the config that say how networks are trained.

They have a module of their own because stages that train depend on its code, and not on that of all other sections.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from cortexscale.section import Contradiction, Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Attack(Section):
    """Adversarial training: images are attacked before each step (FFGSM). Sizes are in levels of 255."""

    eps: PositiveFloat
    """Largest change of a pixel."""
    alpha: PositiveFloat
    """Length of the step, from a random start within ``eps``."""


class Recipe(Section):
    """Hyper-parameters of a training. Keys that are not given have the values of the preset, or the defaults below."""

    preset: str | None = None
    """Name of a recipe of ``cortexscale.models.training.recipes``; ``recipe: resnet`` means ``recipe: {preset: resnet}``."""
    epochs: PositiveFloat | None = None
    """Number of passes over the training set; give either ``epochs`` or ``steps``."""
    steps: PositiveInt | None = None
    """Number of steps of the optimiser, which does not depend on the size of the training set."""
    batch: PositiveInt = 256
    """Images of a step on all GPUs together; all images if the set is smaller."""
    micro_batch: PositiveInt | None = None
    """Images that are normalised and mixed together, and that a GPU must hold at a time; by default the whole batch."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """Optimiser; ``sgd`` has a momentum of 0.9."""
    learning_rate: PositiveFloat = 1e-3
    """Largest learning rate, which is reached at the end of the warm-up."""
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    """Learning rate of the last step."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay of weights; biases and norm scales have none."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Fraction of the training over which the learning rate rises."""
    decay: Literal["cosine", "linear"] = "cosine"
    """Shape of the fall of the learning rate after the warm-up."""
    clip: PositiveFloat | None = None
    """Largest norm of the gradient."""
    ema: Fraction | None = None
    """Decay of a moving average of the weights, which then is the result of the training."""
    drop_path: Fraction | None = None
    """Stochastic depth of a transformer, the same in every block (DeiT-III). Other networks set it themselves."""
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    """Loss function."""
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Label smoothing."""
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest fraction of the area of a random resized crop; 1 is the central square. All images are mirrored at random."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Interpolation of resized crops."""
    auto_augment: str | None = None
    """Automatic augmentation in timm's words: ``rand-m9-mstd0.5-inc1`` (RandAugment), ``3a`` (3-Augment)."""
    color_jitter: Annotated[float, Field(ge=0)] = 0.0
    """Strength of random colour changes. timm leaves them out if RandAugment is used."""
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a rectangle is replaced by noise."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Parameter of mixup; 0 for none."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Parameter of cutmix; 0 for none."""
    repeats: PositiveInt = 1
    """Repeated augmentation: an epoch has this number of versions of a random 1/``repeats`` of the images."""
    attack: Attack | None = None
    """Adversarial attack of every image; none by default."""

    @model_validator(mode="before")
    @classmethod
    def preset_alone(cls, given: Any) -> Any:
        """Take a text for the name of a preset."""
        return {"preset": given} if isinstance(given, str) else given

    @property
    def augments(self) -> bool:
        """Whether single images are changed by more than mirroring."""
        return self.crop < 1 or self.auto_augment is not None or self.color_jitter > 0

    @property
    def mixes(self) -> bool:
        """Whether images of a micro-batch are mixed."""
        return self.mixup > 0 or self.cutmix > 0


class Jitter(Section):
    """Random moves of stimuli in a fine-tuning (paper, appendix G.1); with 0 there is no move of that kind."""

    shift: Annotated[float, Field(ge=0)] = 0.5
    """Largest shift, horizontally and vertically, in degrees of visual angle."""
    rotation: Annotated[float, Field(ge=0)] = 0.5
    """Largest rotation, in degrees."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.1 / 8
    """Largest change of size, as a fraction: 0.1 degrees of visual angle across the field of view."""
    field_of_view: PositiveFloat = 8.0
    """Degrees of visual angle that the network's input spans."""


class Lora(Section):
    """Low-rank adapters in place of full fine-tuning (paper, appendix I)."""

    rank: PositiveInt = 32
    """Rank of the adapters."""
    alpha: PositiveFloat = 32.0
    """Adapters are scaled by ``alpha`` / ``rank``."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout of the input of adapters."""
    targets: tuple[str, ...] = ("qkv", "fc1", "fc2")
    """Last part of the names of the linear layers that get an adapter."""
    train_head: bool = True
    """Train the classifier too, with all its weights."""


class NeuralRecipe(Section):
    """Hyper-parameters of a fine-tuning on responses and on labelled images. Defaults are those of the paper (Table S3)."""

    epochs: PositiveInt = 20
    """Number of passes over the training stimuli."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 5
    """Epochs over which the learning rate rises; a cosine from step to step follows."""
    learning_rate: PositiveFloat = 1e-5
    """Largest learning rate, which is reached at the end of the warm-up."""
    min_learning_rate: Annotated[float, Field(ge=0)] = 1e-6
    """Learning rate of the last step."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Weight decay of all weights that are trained, with biases and norm scales, as in the authors' code."""
    image_batch: PositiveInt = 512
    """Labelled images of a step."""
    neural_batch: PositiveInt = 256
    """Stimuli of a step, for each subject."""
    micro_batch: PositiveInt | None = None
    """Images that the device must hold at a time; by default all of a batch."""
    lambda_img: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the cross-entropy of labelled images; with 0 no images are needed."""
    lambda_neural: Annotated[float, Field(ge=0)] = 100.0
    """Weight of the loss of responses, which is summed over subjects and ROIs."""
    loss: Literal["mse", "mae", "cka", "logcka"] = "mse"
    """Loss of the responses of a subject and ROI: a mean over stimuli and units, 1 - CKA, or log(1 - CKA)."""
    batch_norm: Literal["both", "images", "frozen"] = "both"
    """Batches that are normalised by their own statistics and change the running ones: those of images and of stimuli, as in the
    authors' code; those of images; or none. Other batches are normalised by the running statistics, as in evaluation."""
    jitter: Jitter = Jitter()
    """Random moves of stimuli."""
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
