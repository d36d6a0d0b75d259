"""Choice of the stimuli of each step and forward pass.

A stimulus that several subjects saw passes through the network once for all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.models.training.order import STIMULI, Order, seed_of
from cortexscale.models.training.recipes import epoch_steps
from cortexscale.readouts.trials import Trials, training_trials


def neural_pairs(
    targets: Sequence[Targets], *, percent: float = 100, seed: int = 0, n_subjects: int | None = None, permuted: bool = False
) -> list[Trials]:
    """Choose training stimuli and the responses to them. Every subject gets the same number of stimuli.

    Subsets, subjects and permutations are drawn as in the authors' code, each from a new ``default_rng(seed)``. ``percent`` is
    relative to the number of stimuli of the subject that has the fewest. All subjects get stimuli at the same positions in their
    lists of training stimuli. ``n_subjects`` subjects are chosen at random; by default all are used. With ``permuted``, the
    responses of each subject are paired with its stimuli at random, as a control. An InputError is raised if there are fewer than
    ``n_subjects`` subjects, or if fewer than two stimuli remain.
    """
    trials = training_trials(targets)
    if n_subjects is not None:
        if not 1 <= n_subjects <= len(trials):
            found, expected = f"{n_subjects} subjects", f"1 to {len(trials)}"
            raise InputError(f"fine-tuning on {targets[0].dataset}", found, expected, "correct `subjects` of this experiment")
        chosen = np.random.default_rng(seed).choice(len(trials), n_subjects, replace=False)
        trials = [trials[number] for number in sorted(chosen)]
    n = min(len(subject.rows) for subject in trials)
    places = drawn_places(n, percent, seed)
    if len(places) < 2:
        where, found = f"{percent:g} % of {n} training stimuli of {targets[0].dataset}", f"{len(places)} stimuli"
        raise InputError(where, found, "at least 2", "leave this percentage out of `percent` of this experiment")
    trials = [subject.some(places) for subject in trials]
    if permuted:
        rng = np.random.default_rng(seed)
        trials = [replace(subject, responses=subject.responses[rng.permutation(len(places))]) for subject in trials]
    return trials


def drawn_places(n: int, percent: float, seed: int) -> np.ndarray:
    """Draw the positions of ``percent`` of n training stimuli, as the authors do."""
    return np.random.default_rng(seed).choice(n, int(percent * n / 100), replace=False)


@dataclass(frozen=True)
class SubjectStimuli:
    """The stimuli of one forward pass that one subject saw.

    ``at`` (k,) has the positions of these k stimuli in the forward pass, ascending. ``at`` is None if the subject saw all stimuli
    of the pass. ``places`` (k,) has the positions of the same stimuli among the training stimuli of the subject.
    """

    at: np.ndarray | None
    places: np.ndarray


@dataclass(frozen=True)
class ForwardPass:
    """The stimuli of one forward pass. ``rows`` (d,) has the rows of the d different stimuli in the stimulus table."""

    rows: np.ndarray
    subjects: tuple[SubjectStimuli, ...]


class NeuralBatches:
    """Batches of stimuli. Each step has one batch of every subject, and each epoch has a new random order.

    A step takes the stimuli at the same positions in the lists of all subjects. Therefore subjects that saw the same stimuli
    share forward passes. All subjects have the same number of stimuli, and a batch has ``size`` of them. A forward pass has at
    most ``at_a_time`` stimuli; if this is None, it has all stimuli of a step.
    """

    def __init__(self, trials: Sequence[Trials], size: int, at_a_time: int | None, seed: int) -> None:
        self.trials, self.n, self.size, self.at_a_time = trials, len(trials[0].rows), size, at_a_time
        self.epoch_steps = epoch_steps(self.n, size)
        self._order = Order(self.n, seed_of(seed, STIMULI))

    def places(self, step: int) -> np.ndarray:
        """Return the positions of a step's stimuli among the training stimuli. They are the same for every subject."""
        epoch, number = divmod(step, self.epoch_steps)
        first = epoch * self.n + number * self.size
        return self._order.rows(first, min(first + self.size, (epoch + 1) * self.n)).numpy()

    def forward_passes(self, step: int) -> Iterator[ForwardPass]:
        """Yield the forward passes of a step, which have about equal numbers of stimuli."""
        places = self.places(step)
        wanted = np.stack([subject.rows[places] for subject in self.trials])
        rows, index = np.unique(wanted, return_inverse=True)
        index = index.reshape(wanted.shape)
        parts = -(-len(rows) // (self.at_a_time or len(rows)))
        start = 0
        for part in np.array_split(rows, parts):
            yield ForwardPass(part, tuple(_stimuli_within(at - start, places, len(part)) for at in index))
            start += len(part)


def _stimuli_within(at: np.ndarray, places: np.ndarray, size: int) -> SubjectStimuli:
    inside = np.flatnonzero((at >= 0) & (at < size))
    inside = inside[np.argsort(at[inside])]
    return SubjectStimuli(None if len(inside) == size else at[inside], places[inside])
