"""How a network looks at a picture when it is evaluated."""

from collections.abc import Callable

from PIL import Image
from torch import Tensor

from cortexscale.models.backbone import GREY
from cortexscale.models.normalisation import MEAN, STD
from cortexscale.models.vision import transforms

BILINEAR = transforms.InterpolationMode.BILINEAR
INTERPOLATION = transforms.InterpolationMode.LANCZOS
"""How pictures were resized for the published features of the suite.

Its config says bicubic or bilinear, but the helper that reads it always returns 1, which torchvision takes for Lanczos.
"""


def evaluation_transform(
    resize: int, crop: int, interpolation: transforms.InterpolationMode = INTERPOLATION
) -> Callable[[Image.Image], Tensor]:
    """From an RGB picture to a (3, crop, crop) input: shorter side resized, centre cut out, ImageNet's mean and deviation.

    The aspect ratio is kept, unlike in the Brain-Score evaluation of the same suite.

    Args:
        resize: pixels of the shorter side.
        crop: pixels of the square.
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
    """Mean and deviation per channel, of values from 0 to 1, by which a transform normalises: found by trial."""
    black, white = (transform(Image.new("RGB", GREY.size, 3 * (level,)))[:, 0, 0] for level in (0, 255))
    return (-black / (white - black)).tolist(), (1 / (white - black)).tolist()
