"""Which image is shown when, and what chance decides about it.

Both follow from the seed and the place in the training alone. A training that goes on after a kill, loads its images with
other workers or is shared out over other processes thus sees the same pictures, and there is no state of a random number
generator to keep.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from cortexscale.models.training.recipes import Length

EPOCH, PICTURE, MICRO_BATCH, STIMULI = range(4)
"""What a seed is for."""


def seed_of(seed: int, *place: int) -> int:
    """A seed of its own for every place in a training that begins with ``seed``."""
    return int(np.random.SeedSequence([seed, *place]).generate_state(1)[0])


def seed_everything(seed: int) -> None:
    """Seed all generators that networks and augmentations of timm and torchvision draw from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (timm's mixup and RandAugment)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a stack trace where CUDA is not in use
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


class Order:
    """Epochs in random order, without a gap between them: a batch may end one and begin the next.

    Args:
        n: images of the set.
        seed: of the training.
        repeats: how often an image stands in a row; an epoch then has n / repeats of them (repeated augmentation).
    """

    def __init__(self, n: int, seed: int, repeats: int = 1):
        self.n, self.seed, self.repeats = n, seed, repeats
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed_of(self.seed, EPOCH, epoch))
        return torch.randperm(self.n, generator=generator).repeat_interleave(self.repeats)[: self.n]

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """(stop - start,) rows of the set that are shown at these places of the training."""
        epochs = range(start // self.n, (stop - 1) // self.n + 1)
        shown = torch.cat([self._epoch(epoch) for epoch in epochs])
        return shown[start - epochs[0] * self.n : stop - epochs[0] * self.n]


class Share:
    """The micro-batches of one process, in order: (place of the first picture, rows) each.

    Args:
        order: of the whole training.
        length: of the whole training.
        rank, processes: which of how many. Micro-batches are dealt out in turn.
        first_step: where to begin.
    """

    def __init__(self, order: Order, length: Length, rank: int = 0, processes: int = 1, first_step: int = 0):
        self.order, self.length, self.first_step = order, length, first_step
        self.parts = range(rank, length.parts, processes)

    def __iter__(self) -> Iterator[tuple[int, torch.Tensor]]:
        for step in range(self.first_step, self.length.steps):
            for part in self.parts:
                start = (step * self.length.parts + part) * self.length.size
                yield start, self.order.rows(start, start + self.length.size)
