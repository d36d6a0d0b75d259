"""Micro-batches on the device. They are sliced from an array in memory, or read and augmented by worker processes."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeGuard

import numpy as np
import torch
from PIL import Image

from cortexscale.models.loading import Sample, loaded
from cortexscale.models.training.augment import image_transform
from cortexscale.models.training.data import ArrayImages, LabelledImages, ReadableImages
from cortexscale.models.training.order import IMAGE, MicroBatches, seed_everything, seed_of
from cortexscale.recipe import Recipe

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images with labels (n,). Images are uint8 (n, size, size, 3), or network input (n, 3, height, width)."""


def needs_no_work(images: LabelledImages, image_size: int) -> TypeGuard[ArrayImages]:
    """Tell whether the images are an array of the right size, which needs no transform."""
    return isinstance(images, ArrayImages) and images.images.shape[1:3] == (image_size, image_size)


def training_batches(
    images: LabelledImages,
    micro_batches: MicroBatches,
    recipe: Recipe,
    image_size: int,
    seed: int,
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Yield micro-batches, in which each image is augmented. The number of workers does not change the result.

    An array of the right size that needs no augmentation is copied to the device and sliced there.
    """
    if needs_no_work(images, image_size) and not recipe.augments:
        pixels, labels = torch.from_numpy(images.images).to(device), torch.from_numpy(images.labels).to(device)
        return ((pixels[rows], labels[rows]) for rows in (rows.to(device) for _, rows in micro_batches))
    transform = image_transform(recipe, image_size)
    places = ([(start + offset, int(row)) for offset, row in enumerate(rows)] for start, rows in micro_batches)
    samples = _TransformedImages(images, partial(_pixels, transform), seed)
    return loaded(samples.sample, places, workers, device)


def transformed_batches(
    images: ReadableImages,
    batches: Iterable[np.ndarray],
    transform: Callable[[Image.Image], torch.Tensor],
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Yield transformed images (n, 3, height, width) and labels (n,) for each array of rows in ``batches``."""
    places = ([(int(row), int(row)) for row in rows] for rows in batches)
    return loaded(_TransformedImages(images, transform, seed=0).sample, places, workers, device)


def _pixels(transform: Callable[[Image.Image], Image.Image], image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(transform(image)))


class _TransformedImages:
    """Makes samples of images. Random numbers depend on the place of an image in the training, and not on the process."""

    def __init__(self, images: ReadableImages, transform: Callable[[Image.Image], torch.Tensor], seed: int) -> None:
        self.images, self.transform, self.seed = images, transform, seed

    def sample(self, where: tuple[int, int]) -> Sample:
        """Transform an image; ``where`` has its place in the training and its row."""
        place, row = where
        seed_everything(seed_of(self.seed, IMAGE, place))
        return self.transform(self.images[row]), int(self.images.labels[row])
