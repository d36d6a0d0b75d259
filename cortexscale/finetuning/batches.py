"""Which stimuli a step shows, and to whom: each stimulus passes the network once, however many subjects saw it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cortexscale.finetuning.cost import epoch_steps
from cortexscale.models.training.order import STIMULI, Order, seed_of
from cortexscale.readouts.trials import Trials


@dataclass(frozen=True)
class Shown:
    """What of a forward pass one subject saw.

    Attributes:
        at: (k,) where its stimuli are in the forward pass, ascending; None for all of it, in order.
        places: (k,) its trials.
    """

    at: np.ndarray | None
    places: np.ndarray


@dataclass(frozen=True)
class Forward:
    """The stimuli of one forward pass.

    Attributes:
        rows: (d,) of the stimulus table, each once.
        subjects: in the order of the trials.
    """

    rows: np.ndarray
    subjects: tuple[Shown, ...]


class NeuralBatches:
    """Steps of a fine-tuning: a batch of every subject each, an epoch after the other, each in an order of its own.

    Args:
        trials: equally many of every subject. Those at one place are shown in the same step, so subjects that saw the same
            stimuli share forward passes.
        size: trials of a batch, of each subject.
        at_a_time: stimuli of a forward pass; None for all of a step.
        seed: of the order.
    """

    def __init__(self, trials: Sequence[Trials], size: int, at_a_time: int | None, seed: int):
        self.trials, self.n, self.size, self.at_a_time = trials, len(trials[0].rows), size, at_a_time
        self.epoch_steps = epoch_steps(self.n, size)
        self._order = Order(self.n, seed_of(seed, STIMULI))

    def places(self, step: int) -> np.ndarray:
        """The trials of a step, the same of every subject."""
        epoch, number = divmod(step, self.epoch_steps)
        first = epoch * self.n + number * self.size
        return self._order.rows(first, min(first + self.size, (epoch + 1) * self.n)).numpy()

    def forwards(self, step: int) -> Iterator[Forward]:
        """The forward passes of a step, about equally large."""
        places = self.places(step)
        wanted = np.stack([subject.rows[places] for subject in self.trials])
        rows, index = np.unique(wanted, return_inverse=True)
        index = index.reshape(wanted.shape)
        parts = -(-len(rows) // (self.at_a_time or len(rows)))
        start = 0
        for part in np.array_split(rows, parts):
            yield Forward(part, tuple(_shown(of_subject - start, places, len(part)) for of_subject in index))
            start += len(part)


def _shown(at: np.ndarray, places: np.ndarray, size: int) -> Shown:
    inside = np.flatnonzero((at >= 0) & (at < size))
    inside = inside[np.argsort(at[inside])]
    return Shown(None if len(inside) == size else at[inside], places[inside])
