"""Micro-batches on the device. They are sliced from an array in memory, or read and augmented by worker processes."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeGuard

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from cortexscale.errors import InputError
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
    samples = _TransformedImages(images, lambda image: torch.from_numpy(np.array(transform(image))), seed)
    return _load(samples, places, workers, device)


def transformed_batches(
    images: ReadableImages,
    batches: Iterable[np.ndarray],
    transform: Callable[[Image.Image], torch.Tensor],
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Yield transformed images (n, 3, height, width) and labels (n,) for each array of rows in ``batches``."""
    places = ([(int(row), int(row)) for row in rows] for rows in batches)
    return _load(_TransformedImages(images, transform, seed=0), places, workers, device)


class _TransformedImages(Dataset[tuple[torch.Tensor, int] | InputError]):
    """Transformed images by (place in the training, row).

    An unreadable image gives its error, because workers cannot raise it.
    """

    def __init__(self, images: ReadableImages, transform: Callable[[Image.Image], torch.Tensor], seed: int) -> None:
        self.images, self.transform, self.seed = images, transform, seed

    def __getitem__(self, where: tuple[int, int]) -> tuple[torch.Tensor, int] | InputError:
        place, row = where
        seed_everything(seed_of(self.seed, IMAGE, place))
        try:
            return self.transform(self.images[row]), int(self.images.labels[row])
        except InputError as error:
            return error


def _collate(samples: list[tuple[torch.Tensor, int] | InputError]) -> Batch | InputError:
    error = next((sample for sample in samples if isinstance(sample, InputError)), None)
    pixels, labels = zip(*samples, strict=True) if error is None else ((), ())
    return error or (torch.stack(pixels), torch.tensor(labels))


def _load(
    samples: _TransformedImages, places: Iterator[list[tuple[int, int]]], workers: int, device: torch.device
) -> Iterator[Batch]:
    loader = DataLoader(samples, batch_sampler=places, collate_fn=_collate, num_workers=workers, pin_memory=device.type == "cuda")
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        pixels, labels = batch
        yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
