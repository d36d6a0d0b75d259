"""The order of training images, and the seeds of all random operations in a training.

Both depend only on the seed and the place in the training, but not on interruptions, workers or processes. Therefore no state of
a random number generator needs to be saved.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from cortexscale.models.training.recipes import Length

EPOCH, IMAGE, MICRO_BATCH, STIMULI = range(4)
"""Purposes of seeds. In calls of :func:`seed_of`, the first number of ``place`` is a purpose."""


def seed_of(seed: int, *place: int) -> int:
    """Derive a seed for a place in a training from the training's ``seed``."""
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0])


def seed_everything(seed: int) -> None:
    """Seed all random number generators that networks and the augmentations of timm and torchvision use."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (timm's mixup and RandAugment use it)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would format a stack trace if CUDA is not in use
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


class Order:
    """Consecutive epochs of n images in random order.

    A batch can have the last images of one epoch and the first images of the next.

    With ``repeats``, each image occurs that number of times in a row, and an epoch has n / repeats different images (repeated
    augmentation).
    """

    def __init__(self, n: int, seed: int, repeats: int = 1) -> None:
        self.n, self.seed, self.repeats = n, seed, repeats
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed_of(self.seed, EPOCH, epoch))
        return torch.randperm(self.n, generator=generator).repeat_interleave(self.repeats)[: self.n]

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Return the rows of the images at places ``start`` to ``stop`` of the training, (stop - start,)."""
        epochs = range(start // self.n, (stop - 1) // self.n + 1)
        rows = torch.cat([self._epoch(epoch) for epoch in epochs])
        return rows[start - epochs[0] * self.n : stop - epochs[0] * self.n]


class MicroBatches:
    """The micro-batches of one process, in order.

    Each micro-batch is a pair: the place of its first image in the training, and the rows of its images (size,).

    Process number ``rank`` gets every ``processes``-th micro-batch of a step. ``numbers`` lists which micro-batches of a step
    these are.
    """

    def __init__(self, order: Order, length: Length, rank: int = 0, processes: int = 1, first_step: int = 0) -> None:
        self.order, self.length, self.first_step = order, length, first_step
        self.numbers = range(rank, length.parts, processes)

    def __iter__(self) -> Iterator[tuple[int, torch.Tensor]]:
        for step in range(self.first_step, self.length.steps):
            for number in self.numbers:
                start = (step * self.length.parts + number) * self.length.size
                yield start, self.order.rows(start, start + self.length.size)
