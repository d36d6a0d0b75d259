"""Build a network of Gabor filters, a textbook model of V1, as an example of a user's own network. Copy this file and change it.

The layer ``simple`` has rectified filters of two phases. The layer ``complex`` has the energy of pairs of filters, pooled over
positions.
"""

import math

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

SIZE = 64


class GaborModel(nn.Module):
    """A network with Gabor filters of several orientations at two wavelengths."""

    def __init__(self, orientations: int) -> None:
        super().__init__()
        angles = [math.pi * step / orientations for step in range(orientations)]
        filters = [gabor(angle, wavelength, phase) for wavelength in (4, 8) for angle in angles for phase in (0, math.pi / 2)]
        self.filters = nn.Conv2d(1, len(filters), 15, padding=7, bias=False)
        self.filters.weight = nn.Parameter(torch.stack(filters)[:, None])
        self.simple, self.complex = nn.ReLU(), nn.AvgPool2d(8)

    def forward(self, images: Tensor) -> Tensor:
        filtered = self.filters(images.mean(dim=1, keepdim=True))
        self.simple(filtered)
        even, odd = filtered[:, ::2], filtered[:, 1::2]
        return self.complex((even**2 + odd**2).sqrt())


def gabor(angle: float, wavelength: float, phase: float) -> Tensor:
    """Make a (15, 15) filter that does not respond to a uniform image."""
    place = torch.arange(-7.0, 8.0)
    y, x = torch.meshgrid(place, place, indexing="ij")
    along = x * math.cos(angle) + y * math.sin(angle)
    envelope = torch.exp(-(x**2 + y**2) / (2 * (wavelength / 2) ** 2))
    wave = envelope * torch.cos(2 * math.pi * along / wavelength + phase)
    wave = wave - envelope * wave.sum() / envelope.sum()
    return wave / wave.norm()


def build(orientations: int = 8) -> nn.Module:
    """Build the network with its weights. Here the weights are computed; you can also load them, or name a `checkpoint`."""
    return GaborModel(orientations)


def transform(image: Image.Image) -> Tensor:
    """Make the input of the network (3, height, width) from an RGB image of any size."""
    steps = [transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.ToTensor()]
    return transforms.Compose(steps)(image)
