"""Training recipes of families (Gokce & Schrimpf 2025), and lengths of trainings. The plan loads this module without torch."""

import math
from dataclasses import dataclass
from typing import Any

from cortexscale.errors import InputError
from cortexscale.recipe import Recipe

_SGD: dict[str, Any] = {"epochs": 100, "batch": 256, "micro_batch": 256, "crop": 0.08, "smoothing": 0.0, "optimiser": "sgd"}
_SGD |= {"learning_rate": 0.1, "min_learning_rate": 1e-5, "weight_decay": 1e-4, "warmup": 5 / 100}
_TRANSFORMERS: dict[str, Any] = {"epochs": 300, "micro_batch": 256, "optimiser": "adamw", "ema": 0.9999}
_TRANSFORMERS |= {"crop": 0.08, "interpolation": "bicubic", "mixup": 0.8, "cutmix": 1.0}
PRESETS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("alexnet", "cornet_s", "efficientnet", "resnet"), _SGD),
    "convnext": _TRANSFORMERS
    | {"batch": 4096, "learning_rate": 4e-3, "min_learning_rate": 1e-6, "weight_decay": 0.05, "warmup": 20 / 300}
    | {"auto_augment": "rand-m9-mstd0.5-inc1", "color_jitter": 0.4, "erasing": 0.25, "smoothing": 0.1},
    "deit3": _TRANSFORMERS
    | {"batch": 2048, "learning_rate": 3e-3, "min_learning_rate": 1e-5, "weight_decay": 0.02, "warmup": 5 / 300, "clip": 1.0}
    | {"auto_augment": "3a", "color_jitter": 0.3, "repeats": 3, "smoothing": 0.0, "loss": "binary_cross_entropy"},
    "adversarial": _SGD
    | {"epochs": 10, "decay": "linear", "min_learning_rate": 0.0, "warmup": 2 / 10, "attack": {"eps": 1, "alpha": 1.25}},
}
"""Keys of the published recipes. ConvNeXt and EfficientNet have the stochastic depth of torchvision's networks. The stochastic
depth of DeiT-III depends on the size of the network, so configs give ``drop_path`` for each network."""
_FEW_STEPS = 10
"""An epoch of at most this number of whole batches keeps its last, partial batch. A longer epoch drops the partial batch, as the
authors do."""


def resolve(*layers: Recipe) -> Recipe:
    """Merge recipes into a complete one.

    Keys of a later recipe replace keys of earlier recipes. The preset of a later recipe replaces all earlier keys.

    An InputError is raised if a preset is unknown, or unless exactly one of ``epochs`` and ``steps`` is given.
    """
    keys: dict[str, Any] = {}
    for layer in layers:
        given = layer.model_dump(exclude_unset=True)
        preset = given.pop("preset", None)
        if preset is not None and preset not in PRESETS:
            raise InputError("a suite's `recipe`", preset, f"one of {', '.join(PRESETS)}", "correct the name, or give its keys")
        keys = dict(PRESETS[preset]) if preset else keys
        for length, other in (("steps", "epochs"), ("epochs", "steps")):
            if length in given and other not in given:
                keys.pop(other, None)
        keys |= given
    if (keys.get("steps") is None) == (keys.get("epochs") is None):
        found = {name: keys[name] for name in ("steps", "epochs") if keys.get(name)} or "neither"
        remedy = "say how long to train: `epochs: 100`"
        raise InputError("a suite's `recipe`", f"steps and epochs: {found}", "one of them", remedy)
    return Recipe(**keys)


@dataclass(frozen=True)
class Length:
    """The length of a training: its number of ``steps``, of micro-batches in a step, and of images in a micro-batch.

    ``parts`` is the number of micro-batches in a step over all processes, and ``size`` is the number of images in a micro-batch.
    """

    steps: int
    parts: int
    size: int

    @property
    def batch(self) -> int:
        return self.parts * self.size

    @property
    def images_seen(self) -> int:
        """Number of images in the whole training, with repetitions."""
        return self.steps * self.batch


def training_length(recipe: Recipe, n: int, processes: int = 1) -> Length:
    """Compute the length of a training on ``n`` images. The length is at least one batch.

    An InputError is raised if a process would get no image.
    """
    unit = 2 if recipe.mixes else 1  # images are mixed in pairs
    units = min(recipe.batch, n) // unit
    at_a_time = max(1, (recipe.micro_batch or recipe.batch) // unit)
    parts = processes * max(1, min(math.ceil(units / at_a_time / processes), units // processes))
    size = units // parts * unit
    if not size:
        found = f"{n} images for {processes} processes"
        raise InputError("the training set", found, "an image for each", "train on fewer GPUs: `training: {gpus: 1}`")
    if recipe.steps is not None:
        return Length(recipe.steps, parts, size)
    assert recipe.epochs is not None, "a resolved recipe has steps or epochs"
    return Length(math.ceil(recipe.epochs * n / (parts * size)), parts, size)


def epoch_steps(samples: int, neural_batch: int) -> int:
    """Return the number of steps in one pass over the stimuli of a subject."""
    whole, rest = divmod(samples, neural_batch)
    return whole + (rest > 0) if whole <= _FEW_STEPS else whole


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Return the learning rate of a step.

    It rises linearly in the warm-up, and then falls to the smallest rate at the last step.
    """
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    left = 0.5 * (1 + math.cos(math.pi * done)) if recipe.decay == "cosine" else 1 - done
    return recipe.min_learning_rate + (recipe.learning_rate - recipe.min_learning_rate) * left
