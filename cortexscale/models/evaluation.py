"""The transforms by which networks are evaluated."""

from collections.abc import Callable

from PIL import Image
from torch import Tensor

from cortexscale.models.backbone import GREY
from cortexscale.models.normalisation import MEAN, STD
from cortexscale.models.vision import transforms

BILINEAR = transforms.InterpolationMode.BILINEAR
INTERPOLATION = transforms.InterpolationMode.LANCZOS
"""Interpolation of the published features. The authors' config says bicubic or bilinear, but the helper that reads it always
returns 1, which torchvision takes for Lanczos."""


def evaluation_transform(
    resize: int, crop: int, interpolation: transforms.InterpolationMode = INTERPOLATION
) -> Callable[[Image.Image], Tensor]:
    """Make the transform from an RGB image to a (3, crop, crop) input.

    The shorter side is resized to ``resize`` pixels, the centre is cut out, and values are normalised by ImageNet's mean and
    standard deviation. The aspect ratio is kept, unlike in Brain-Score's evaluation of the same suite.
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
    """Find by trial the mean and standard deviation per channel by which a transform normalises values from 0 to 1."""
    black, white = (transform(Image.new("RGB", GREY.size, 3 * (level,)))[:, 0, 0] for level in (0, 255))
    return (-black / (white - black)).tolist(), (1 / (white - black)).tolist()
