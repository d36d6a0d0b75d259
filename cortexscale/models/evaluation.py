"""How a network looks at a picture when it is evaluated."""

from collections.abc import Callable

from PIL import Image
from torch import Tensor

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
