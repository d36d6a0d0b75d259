"""Augmentation of single images and of micro-batches by operations of timm, and adversarial attacks."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import nn

from cortexscale.errors import InputError
from cortexscale.models.inputs import MEAN, STD, normalised
from cortexscale.models.vision import timm, transforms
from cortexscale.recipe import Attack, Recipe

auto_augment = timm.data.auto_augment


def image_transform(recipe: Recipe, size: int) -> Callable[[Image.Image], Image.Image]:
    """Make the transform to ``size`` x ``size`` pixels, which crops an image and augments it according to the recipe."""
    crop, colour, _ = timm.data.create_transform(
        size,
        is_training=True,
        scale=(recipe.crop, 1.0),
        ratio=(3 / 4, 4 / 3) if recipe.crop < 1 else (1.0, 1.0),
        hflip=0.0,  # micro-batches are mirrored instead
        color_jitter=recipe.color_jitter or None,  # type: ignore[arg-type]  # timm takes None for no jitter
        auto_augment=recipe.auto_augment,
        interpolation=recipe.interpolation,
        separate=True,
    )
    for operation in (each for step in colour.transforms for each in getattr(step, "ops", ())):
        if operation.aug_fn is auto_augment.posterize:
            operation.aug_fn = _posterize
    return transforms.Compose([crop, colour])


def _posterize(image: Image.Image, bits: int, **settings: Any) -> Image.Image:
    """Posterize as timm does. At RandAugment's largest magnitude timm keeps 0 bits, which is an error in Pillow 13."""
    return auto_augment.posterize(image, bits, **settings) if bits else Image.new(image.mode, image.size)


class BatchAugmentation:
    """Augmentation of micro-batches by a recipe: images are mirrored, normalised, erased and mixed."""

    def __init__(
        self, recipe: Recipe, n_classes: int, device: torch.device, mean: Sequence[float] = MEAN, std: Sequence[float] = STD
    ) -> None:
        self.mean, self.std = mean, std
        self.erase = (
            timm.data.random_erasing.RandomErasing(recipe.erasing, mode="pixel", device=device) if recipe.erasing else None
        )
        self.mix = (
            timm.data.Mixup(recipe.mixup, recipe.cutmix, label_smoothing=recipe.smoothing, num_classes=n_classes)
            if recipe.mixes
            else None
        )

    def __call__(self, pixels: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn images (n, size, size, 3) and labels (n,) into network input and labels.

        Labels of mixed images are (n, n_classes).
        """
        mirrored = (torch.rand(len(pixels)) < 0.5).to(pixels.device)
        inputs = normalised(torch.where(mirrored[:, None, None, None], pixels.flip(2), pixels), self.mean, self.std)
        if self.erase:
            inputs = self.erase(inputs)
        return self.mix(inputs, labels) if self.mix else (inputs, labels)


def set_drop_path(network: nn.Module, rate: float) -> None:
    """Set the same stochastic depth in all blocks of a timm transformer. Any other network raises an InputError."""
    blocks = [block for block in network.modules() if hasattr(block, "drop_path1") and hasattr(block, "drop_path2")]
    if not blocks:
        found = f"{rate} for a {type(network).__name__}"
        raise InputError("recipe key drop_path", found, "a timm transformer", "leave it out; other networks bring their own")
    for block in blocks:
        for name in ("drop_path1", "drop_path2"):
            setattr(block, name, timm.layers.DropPath(rate).train(block.training))


def criterion(recipe: Recipe) -> nn.Module:
    """Make the loss for outputs (n, classes) and labels of :class:`BatchAugmentation`. Mixed labels are already smoothed."""
    smoothing = 0.0 if recipe.mixes else recipe.smoothing
    if recipe.loss == "binary_cross_entropy":
        return timm.loss.BinaryCrossEntropy(smoothing)
    return nn.CrossEntropyLoss(label_smoothing=smoothing)


def ffgsm(
    network: nn.Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    attack: Attack,
) -> torch.Tensor:
    """Attack images by one signed gradient step from a random start (FFGSM; Wong, Rice & Kolter 2020).

    The gradient is computed in eval mode. The attack therefore does not change running statistics and has no dropout. ``inputs``
    are normalised images (n, 3, height, width). Pixels change by at most ``attack.eps`` / 255, and stay between black and white.
    """
    mean, std = (inputs.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    black, white = -mean / std, (1 - mean) / std
    eps, alpha = attack.eps / 255 / std, attack.alpha / 255 / std

    def allowed(moved: torch.Tensor) -> torch.Tensor:
        return moved.clamp(inputs - eps, inputs + eps).clamp(black, white)

    start = allowed(inputs + eps * torch.empty_like(inputs).uniform_(-1, 1)).requires_grad_()
    training = network.training
    network.eval()
    (gradient,) = torch.autograd.grad(loss(network(start), targets), start)
    network.train(training)
    return allowed(start.detach() + alpha * gradient.sign())
