"""How networks are trained, as a section of the config.

A module of its own: stages that train depend on its code, and not on that of all other sections.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]


class Attack(BaseModel, extra="forbid", frozen=True):
    """Adversarial training: a picture is moved against the network before each step, in levels of 255 (FFGSM)."""

    eps: PositiveFloat
    """The largest change of a pixel."""
    alpha: PositiveFloat
    """The length of the move, from a random start within ``eps``."""


class Recipe(BaseModel, extra="forbid", frozen=True):
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
