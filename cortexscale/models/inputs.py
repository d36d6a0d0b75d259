"""Inputs of networks: transforms for evaluation, and normalised batches."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cortexscale.models.backbone import GREY
from cortexscale.models.vision import transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which timm's models use by default
BILINEAR = transforms.InterpolationMode.BILINEAR
INTERPOLATION = transforms.InterpolationMode.LANCZOS
"""Interpolation of the published features. The authors' config says bicubic or bilinear, but the function that reads it always
returns 1, which means Lanczos in torchvision."""


def evaluation_transform(
    resize: int, crop: int, interpolation: transforms.InterpolationMode = INTERPOLATION
) -> Callable[[Image.Image], Tensor]:
    """Make the transform from an RGB image to an input (3, crop, crop).

    The shorter side is resized to ``resize`` pixels, and the centre is cropped. Values are normalised by ImageNet's mean and
    standard deviation. Unlike in Brain-Score's evaluation of the same suite, the aspect ratio is kept.
    """
    return transforms.Compose(
        [
            transforms.Resize(resize, interpolation),
            transforms.CenterCrop(crop),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )


def normalisation(transform: Callable[[Image.Image], Tensor]) -> tuple[list[float], list[float]]:
    """Find the mean and standard deviation of each channel by which a transform normalises values from 0 to 1."""
    black, white = (transform(Image.new("RGB", GREY.size, 3 * (level,)))[:, 0, 0] for level in (0, 255))
    return (-black / (white - black)).tolist(), (1 / (white - black)).tolist()


def normalised(pixels: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """Convert uint8 (n, size, size, 3) to a normalised float32 tensor (n, 3, size, size), with channels last in memory."""
    shape = (1, 3, 1, 1)
    images = pixels.permute(0, 3, 1, 2).float().div_(255)
    return images.sub_(images.new_tensor(mean).view(shape)).div_(images.new_tensor(std).view(shape))


def as_input(
    images: np.ndarray, mean: Sequence[float] = MEAN, std: Sequence[float] = STD, device: torch.device | str = "cpu"
) -> Tensor:
    """Apply :func:`normalised` to an array, on ``device``."""
    return normalised(torch.from_numpy(images).to(device), mean, std)
