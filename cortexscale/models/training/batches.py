"""Micro-batches on the device: sliced from an array in memory, or read and augmented by worker processes."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from cortexscale.errors import InputError
from cortexscale.models.training.data import ArrayImages, LabelledImages
from cortexscale.models.training.order import PICTURE, Share, seed_everything, seed_of

Batch = tuple[torch.Tensor, torch.Tensor]
"""(n, size, size, 3) uint8 pictures and (n,) labels."""


def sliced_batches(images: ArrayImages, share: Share, device: torch.device) -> Iterator[Batch]:
    """From pictures that need no work of their own and fit on the device."""
    pixels, labels = torch.from_numpy(images.images).to(device), torch.from_numpy(images.labels).to(device)
    for _, rows in share:
        rows = rows.to(device)
        yield pixels[rows], labels[rows]


def loaded_batches(
    images: LabelledImages,
    share: Share,
    transform: Callable[[Image.Image], Image.Image],
    seed: int,
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """From pictures that are read and changed one by one, the same ones with any number of workers.

    Raises:
        InputError: an image cannot be read.
    """
    places = ([(start + offset, int(row)) for offset, row in enumerate(rows)] for start, rows in share)
    samples = _Samples(images, lambda image: torch.from_numpy(np.array(transform(image))), seed)
    return _load(samples, places, workers, device)


def evaluation_batches(
    images: LabelledImages, transform: Callable[[Image.Image], torch.Tensor], batch: int, workers: int, device: torch.device
) -> Iterator[Batch]:
    """All images in order, as ``transform`` makes them.

    Raises:
        InputError: an image cannot be read.
    """
    n = len(images.labels)
    rows = (np.arange(start, min(start + batch, n)) for start in range(0, n, batch))
    return transformed_batches(images, rows, transform, workers, device)


def transformed_batches(
    images: LabelledImages,
    batches: Iterable[np.ndarray],
    transform: Callable[[Image.Image], torch.Tensor],
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Images by row, as ``transform`` makes them: (n, 3, height, width) and labels (n,) for each of ``batches``.

    Raises:
        InputError: an image cannot be read.
    """
    places = ([(int(row), int(row)) for row in rows] for rows in batches)
    return _load(_Samples(images, transform, seed=0), places, workers, device)


class _Samples(Dataset):
    """Pictures by (place in the training, row). What cannot be read comes back as the error that says so.

    Raised in a worker process it would reach the training as a RuntimeError with the worker's traceback.
    """

    def __init__(self, images: LabelledImages, transform: Callable[[Image.Image], torch.Tensor], seed: int):
        self.images, self.transform, self.seed = images, transform, seed

    def __getitem__(self, where: tuple[int, int]) -> tuple[torch.Tensor, int] | InputError:
        place, row = where
        seed_everything(seed_of(self.seed, PICTURE, place))
        try:
            return self.transform(self.images[row]), int(self.images.labels[row])
        except InputError as error:
            return error


def _collate(samples: list[Any]) -> Batch | InputError:
    error = next((sample for sample in samples if isinstance(sample, InputError)), None)
    pixels, labels = zip(*samples, strict=True) if error is None else ((), ())
    return error or (torch.stack(pixels), torch.tensor(labels))


def _load(samples: _Samples, places: Iterator[list[tuple[int, int]]], workers: int, device: torch.device) -> Iterator[Batch]:
    loader = DataLoader(samples, batch_sampler=places, collate_fn=_collate, num_workers=workers, pin_memory=device.type == "cuda")
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        pixels, labels = batch
        yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
