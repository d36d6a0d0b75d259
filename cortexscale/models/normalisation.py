"""Conversion of images to network input: float, normalised, channels last in memory."""

from collections.abc import Sequence

import numpy as np
import torch

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which timm's models expect by default


def normalised(pixels: torch.Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> torch.Tensor:
    """Convert (n, size, size, 3) uint8 to a normalised (n, 3, size, size) float32 tensor, channels last in memory."""
    shape = (1, 3, 1, 1)
    images = pixels.permute(0, 3, 1, 2).float().div_(255)
    return images.sub_(images.new_tensor(mean).view(shape)).div_(images.new_tensor(std).view(shape))


def as_input(
    images: np.ndarray, mean: Sequence[float] = MEAN, std: Sequence[float] = STD, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Apply :func:`normalised` to an array, on ``device``."""
    return normalised(torch.from_numpy(images).to(device), mean, std)
