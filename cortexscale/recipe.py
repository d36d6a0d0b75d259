"""Config sections for training and fine-tuning.

They are in a separate module, so that a change in the code of other sections does not repeat the stages that import this module.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from cortexscale.section import Contradiction, Section, Words, each_once

Levels = Annotated[float, Field(gt=0, le=255)]
Fraction = Annotated[float, Field(gt=0, lt=1)]

AutoAugment = Annotated[
    str,
    Field(pattern=r"^(rand|augmix|original|originalr|v0|v0r|3a)(-[a-z]+[0-9.]*)*$"),
    Words("augmentation of timm", "augmentations of timm", "such as rand-m9-mstd0.5-inc1, augmix-m3-w3 or 3a"),
]


class Attack(Section):
    """Adversarial training: before each step, images are changed so that the network makes more errors (FFGSM)."""

    eps: Levels
    """Largest change of a pixel, in units of 1/255."""
    alpha: Levels
    """Size of the attack's step in units of 1/255. Before this step, each pixel is changed at random by at most `eps`."""


class Recipe(Section):
    """Hyper-parameters of a training. A key that is not given has the value of the preset, or else the default below."""

    preset: str | None = None
    """Published recipe: `alexnet`, `cornet_s`, `efficientnet`, `resnet`, `convnext`, `deit3` or `adversarial`. The other keys
    replace its values. `recipe: resnet` is short for `recipe: {preset: resnet}`."""
    epochs: PositiveFloat | None = None
    """Number of passes over the training set. Give either `epochs` or `steps`."""
    steps: PositiveInt | None = None
    """Number of steps of the optimiser. With this key, the length of the training does not depend on the size of the training
    set."""
    batch: PositiveInt = 256
    """Number of images in a step, summed over all GPUs. If the training set is smaller, every step uses the whole set."""
    micro_batch: PositiveInt | None = None
    """Number of images that a GPU holds, normalises and mixes at a time. By default this is the whole batch. A smaller number
    saves memory."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """Optimiser: AdamW, or SGD with momentum."""
    learning_rate: PositiveFloat = 1e-3
    """Learning rate at the end of the warm-up."""
    min_learning_rate: NonNegativeFloat = 0.0
    """Learning rate at the last step."""
    weight_decay: NonNegativeFloat = 0.05
    """Weight decay. It applies to weights, but not to biases and norm scales."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Length of the warm-up, in which the learning rate rises, as a fraction of the training."""
    decay: Literal["cosine", "linear"] = "cosine"
    """Curve along which the learning rate falls after the warm-up."""
    clip: PositiveFloat | None = None
    """Largest norm of the gradient. By default gradients are not clipped."""
    ema: Fraction | None = None
    """Decay of the moving average of the weights. If it is given, the averaged weights are the result of the training."""
    drop_path: Fraction | None = None
    """Stochastic depth of a transformer: the probability that a block is skipped, the same in every block (DeiT-III). Do not set
    this key for other networks, which have their own stochastic depth or no stochastic depth."""
    loss: Literal["cross_entropy", "binary_cross_entropy"] = "cross_entropy"
    """Loss function for the labels."""
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Amount of label smoothing."""
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Smallest fraction of the area that a random crop keeps. With 1 the crop is the central square. All images are mirrored at
    random."""
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """Kind of interpolation with which images are resized."""
    auto_augment: AutoAugment | None = None
    """Augmentation in the notation of timm. For example, `rand-m9-mstd0.5-inc1` is RandAugment and `3a` is 3-Augment."""
    color_jitter: NonNegativeFloat = 0.0
    """Strength of the colour jitter. With RandAugment, timm applies no colour jitter."""
    erasing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a rectangle of an image is replaced by noise."""
    mixup: NonNegativeFloat = 0.0
    """Alpha of mixup. 0 turns mixup off."""
    cutmix: NonNegativeFloat = 0.0
    """Alpha of CutMix. 0 turns CutMix off."""
    repeats: PositiveInt = 1
    """Number of versions of an image in an epoch (repeated augmentation). An epoch has 1/`repeats` of the images, which are drawn
    at random."""
    attack: Attack | None = None
    """Adversarial training (FFGSM). By default there is none."""

    @model_validator(mode="before")
    @classmethod
    def preset_alone(cls, given: Any) -> Any:
        """Read a text as the name of a preset."""
        return {"preset": given} if isinstance(given, str) else given

    @property
    def augments(self) -> bool:
        """Whether single images are augmented in other ways than by mirroring."""
        return self.crop < 1 or self.auto_augment is not None or self.color_jitter > 0

    @property
    def mixes(self) -> bool:
        """Whether images of a micro-batch are mixed with each other."""
        return self.mixup > 0 or self.cutmix > 0


class Jitter(Section):
    """Random shifts, rotations and scalings of stimuli in a fine-tuning (paper, appendix G.1).

    The value 0 turns one of them off.
    """

    shift: NonNegativeFloat = 0.5
    """Largest shift in each direction, horizontal and vertical, in degrees of visual angle."""
    rotation: NonNegativeFloat = 0.5
    """Largest rotation, in degrees."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.1 / 8
    """Largest change of size, as a fraction. The default is 0.1 / 8: 0.1 degrees in a field of view of 8 degrees."""
    field_of_view: PositiveFloat = 8.0
    """Visual angle of the input of the network, in degrees."""


class Lora(Section):
    """Low-rank adapters (LoRA), which are trained instead of all weights (paper, appendix I)."""

    rank: PositiveInt = 32
    """Rank of the adapters."""
    alpha: PositiveFloat = 32.0
    """Scale of the adapters: their output is multiplied by `alpha` / `rank`."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout on the input of the adapters."""
    targets: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(each_once)] = ("qkv", "fc1", "fc2")
    """Linear layers that get an adapter, given by the last parts of their names."""
    train_head: bool = True
    """Train all weights of the classifier as well."""


class NeuralRecipe(Section):
    """Hyper-parameters of a fine-tuning on responses and on labelled images. The defaults are those of the paper (Table S3)."""

    epochs: PositiveInt = 20
    """Number of passes over the stimuli."""
    warmup_epochs: NonNegativeInt = 5
    """Number of epochs over which the learning rate rises. Afterwards it falls along a cosine, step by step."""
    learning_rate: PositiveFloat = 1e-5
    """Learning rate at the end of the warm-up."""
    min_learning_rate: NonNegativeFloat = 1e-6
    """Learning rate at the last step."""
    weight_decay: NonNegativeFloat = 0.05
    """Weight decay of all trained weights, including biases and norm scales, as in the authors' code."""
    image_batch: PositiveInt = 512
    """Number of labelled images in a step."""
    neural_batch: PositiveInt = 256
    """Number of stimuli of each subject in a step."""
    micro_batch: PositiveInt | None = None
    """Number of images that the GPU holds at a time. By default this is a whole batch. Choose a smaller number if the memory is
    too small."""
    lambda_img: NonNegativeFloat = 0.1
    """Weight of the cross-entropy of labelled images. With 0 no labelled images are needed."""
    lambda_neural: NonNegativeFloat = 100.0
    """Weight of the loss of responses. This loss is summed over subjects and ROIs."""
    loss: Literal["mse", "mae", "cka", "logcka"] = "mse"
    """Loss of the responses in one ROI of one subject: mean squared error, mean absolute error, 1 − CKA, or log(1 − CKA)."""
    batch_norm: Literal["both", "images", "frozen"] = "both"
    """Batches that are normalised by their own statistics and update the running statistics of batch normalisation. `both` means
    batches of labelled images and of stimuli, as in the authors' code. `images` means batches of labelled images only, and
    `frozen` means no batches. All other batches are normalised by the running statistics, as in evaluation."""
    jitter: Jitter = Jitter()
    """Random shifts, rotations and scalings of the stimuli before each step."""
    lora: Lora | None = None
    """Train low-rank adapters instead of all weights."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.loss in ("cka", "logcka") and self.neural_batch < 2:
            yield Contradiction("neural_batch", str(self.neural_batch), "at least 2 stimuli, which CKA compares", "raise it")
        if self.warmup_epochs >= self.epochs:
            expected = f"fewer than the {self.epochs} epochs, of which some must train at the full rate"
            yield Contradiction("warmup_epochs", str(self.warmup_epochs), expected, "lower warmup_epochs, or raise epochs")
        if self.min_learning_rate > self.learning_rate:
            expected = f"at most the learning_rate, {self.learning_rate:g}"
            yield Contradiction("min_learning_rate", f"{self.min_learning_rate:g}", expected, "lower min_learning_rate")
        if not self.lambda_img and not self.lambda_neural:
            expected = "a weight above 0 for the loss of the images or for the loss of the responses"
            yield Contradiction("lambda_neural", "0, as lambda_img", expected, "raise one of them")
