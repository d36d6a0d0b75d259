"""Two forward passes of one image, which must give the same activations: what it means if they do not."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Cause:
    """The reason why two passes of an image differ, as the parts of a message, and the remedy."""

    text: str
    remedy: str


CHANCE = Cause(
    "when it passes alone twice: the network draws random numbers, or changes while it runs",
    "switch dropout and noise off outside training, or draw the numbers with a fixed seed in every pass",
)
BATCH = Cause(
    "when it passes alone and in a batch: the network normalises over the batch, as BatchNorm does in training mode or without "
    "running statistics",
    "use running statistics, or a normalisation of each image on its own",
)
MOST = 0.01
"""Largest relative difference between two passes of one image in float32. Convolutions in TF32 reach a tenth of it."""


def difference(first: Tensor, second: Tensor) -> float:
    """Return the norm of the difference of two activations of the same shape, divided by the norm of the first."""
    first, second = first.float(), second.float()
    return (first - second).norm().item() / max(first.norm().item(), 1e-30)
