"""Sections of training. Stages depend on the code of this module and not on that of all sections."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from cortexscale.section import Contradiction, Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Attack(Section):
    """Adversarial training: images are attacked before each step (FFGSM). Sizes are in levels of 255."""

    eps: PositiveFloat
    """Largest change of a pixel, in levels of 255."""
    alpha: PositiveFloat
    """Length of the step in levels of 255, from a random start within `eps`."""


class Recipe(Section):
    """Hyper-parameters of a training. Keys that are not given have the values of the preset, or the defaults below."""

    preset: str | None = None
    """Published recipe whose values the other keys replace: `alexnet`, `cornet_s`, `efficientnet`, `resnet`, `convnext`,
    `deit3` or `adversarial`. `recipe: resnet` is short for `recipe: {preset: resnet}`."""
    epochs: PositiveFloat | None = None
    """Passes over the training set. Give either `epochs` or `steps`."""
    steps: PositiveInt | None = None
    """Steps of the optimiser, as many for a small set as for a large one."""
    batch: PositiveInt = 256
    """Images of a step, on all GPUs together; all images where the set is smaller."""
    micro_batch: PositiveInt | None = None
    """Images that a GPU holds, normalises and mixes at a time; by default the whole batch. Lower it to save memory."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """AdamW, or SGD with momentum."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate at the end of the warm-up."""
    min_learning_rate: NonNegativeFloat = 0.0
    """Learning rate at the last step."""
    weight_decay: NonNegativeFloat = 0.05
    """Weight decay, of weights but not of biases and norm scales."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Fraction of the training over which the learning rate rises."""
    decay: Literal["cosine", "linear"] = "cosine"
    """Shape of the fall of the learning rate after the warm-up."""
    clip: PositiveFloat | None = None
    """Largest norm of the gradient; by default gradients are not clipped."""
    ema: Fraction | None = None
    """Keep a moving average of the weights with this decay, which is the result of the training; by default none."""
    drop_path: Fraction | None = None
    """Stochastic depth of a transformer, the same in every block (DeiT-III). Other networks bring their own."""
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    """Loss of the labels."""
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Label smoothing."""
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest fraction of the area that a random crop keeps; 1 is the central square. All images are mirrored at random."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Interpolation with which images are resized."""
    auto_augment: str | None = None
    """Augmentation in timm's notation: `rand-m9-mstd0.5-inc1` is RandAugment, `3a` is 3-Augment."""
    color_jitter: NonNegativeFloat = 0.0
    """Strength of the colour jitter. timm leaves it out with RandAugment."""
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a rectangle of an image is replaced by noise."""
    mixup: NonNegativeFloat = 0.0
    """Alpha of mixup; 0 for none."""
    cutmix: NonNegativeFloat = 0.0
    """Alpha of CutMix; 0 for none."""
    repeats: PositiveInt = 1
    """Repeated augmentation: an epoch shows this many versions of a random 1/`repeats` of the images."""
    attack: Attack | None = None
    """Move images against the network before each step (FFGSM)."""

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
    """Random moves of stimuli in a fine-tuning (paper, appendix G.1); 0 turns a kind off."""

    shift: NonNegativeFloat = 0.5
    """Largest shift, horizontally and vertically, in degrees of visual angle."""
    rotation: NonNegativeFloat = 0.5
    """Largest rotation, in degrees."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.1 / 8
    """Largest change of size, as a fraction. The default is 0.1 degrees of visual angle across the field of view."""
    field_of_view: PositiveFloat = 8.0
    """Visual angle that the input of the network spans, in degrees."""


class Lora(Section):
    """Low-rank adapters in place of full fine-tuning (paper, appendix I)."""

    rank: PositiveInt = 32
    """Rank of the adapters."""
    alpha: PositiveFloat = 32.0
    """Updates are scaled by `alpha` / `rank`."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout of the input of adapters."""
    targets: tuple[str, ...] = ("qkv", "fc1", "fc2")
    """Last part of the names of the linear layers that get an adapter."""
    train_head: bool = True
    """Train the classifier as well, with all its weights."""


class NeuralRecipe(Section):
    """Hyper-parameters of a fine-tuning on responses and on labelled images. Defaults are those of the paper (Table S3)."""

    epochs: PositiveInt = 20
    """Passes over the stimuli."""
    warmup_epochs: NonNegativeInt = 5
    """Epochs over which the learning rate rises. A cosine follows, from step to step."""
    learning_rate: PositiveFloat = 1e-5
    """Learning rate at the end of the warm-up."""
    min_learning_rate: NonNegativeFloat = 1e-6
    """Learning rate at the last step."""
    weight_decay: NonNegativeFloat = 0.05
    """Weight decay of all weights that are trained, biases and norm scales included, as in the authors' code."""
    image_batch: PositiveInt = 512
    """Labelled images of a step."""
    neural_batch: PositiveInt = 256
    """Stimuli of a step, for each subject."""
    micro_batch: PositiveInt | None = None
    """Images that the GPU holds at a time; by default the whole batch. Lower it when the memory is too small."""
    lambda_img: NonNegativeFloat = 0.1
    """Weight of the cross-entropy of labelled images. With 0 no images are needed."""
    lambda_neural: NonNegativeFloat = 100.0
    """Weight of the loss of responses, which is summed over subjects and ROIs."""
    loss: Literal["mse", "mae", "cka", "logcka"] = "mse"
    """Loss of the responses of a subject and ROI: mean squared or absolute error, 1 − CKA, or log(1 − CKA)."""
    batch_norm: Literal["both", "images", "frozen"] = "both"
    """Batches whose own statistics normalise them and move the running ones: `both` as in the authors' code, labelled
    `images` only, or none (`frozen`). All others are normalised by the running statistics, as in evaluation."""
    jitter: Jitter = Jitter()
    """Random moves of stimuli before each step."""
    lora: Lora | None = None
    """Train low-rank adapters in place of all weights."""

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
