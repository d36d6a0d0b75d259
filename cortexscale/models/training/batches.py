"""Micro-batches on the device, sliced from an array in memory, or read and augmented by worker processes."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from cortexscale.errors import InputError
from cortexscale.models.training.data import ArrayImages, ReadableImages
from cortexscale.models.training.order import IMAGE, MicroBatches, seed_everything, seed_of

Batch = tuple[torch.Tensor, torch.Tensor]
"""(n, size, size, 3) uint8 images or (n, 3, height, width) network input, and (n,) labels."""


def sliced_batches(images: ArrayImages, micro_batches: MicroBatches, device: torch.device) -> Iterator[Batch]:
    """Slice micro-batches from an array that fits on the device, without any work on single images."""
    pixels, labels = torch.from_numpy(images.images).to(device), torch.from_numpy(images.labels).to(device)
    for _, rows in micro_batches:
        rows = rows.to(device)
        yield pixels[rows], labels[rows]


def loaded_batches(
    images: ReadableImages,
    micro_batches: MicroBatches,
    transform: Callable[[Image.Image], Image.Image],
    seed: int,
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Read and transform the images of micro-batches one by one. The number of workers does not change the result."""
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
    """Read and transform images: (n, 3, height, width) and labels (n,) for each array of rows in ``batches``."""
    places = ([(int(row), int(row)) for row in rows] for rows in batches)
    return _load(_TransformedImages(images, transform, seed=0), places, workers, device)


class _TransformedImages(Dataset[tuple[torch.Tensor, int] | InputError]):
    """Transformed images by (place in the training, row). An unreadable one gives its error, as workers raise no InputError."""

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
