"""Choose the stimuli of each step and of each forward pass. A stimulus passes the network once for all subjects that saw it."""

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
    """Choose training stimuli of the subjects, the same number for each, with the responses to them.

    Subsets, subjects and permutations are drawn as in the authors' code, each from ``default_rng(seed)``. ``percent`` is of the
    stimuli of the subject that has the fewest; all subjects get stimuli at the same positions. ``n_subjects`` subjects are chosen
    at random, by default all. ``permuted`` pairs the responses of each subject with its stimuli at random, as a control. It
    raises an InputError if there are fewer subjects, or fewer than two stimuli are left.
    """
    trials = training_trials(targets)
    if n_subjects is not None:
        if not 1 <= n_subjects <= len(trials):
            found, expected = f"{n_subjects} subjects", f"1 to {len(trials)}"
            raise InputError(f"fine-tuning on {targets[0].dataset}", found, expected, "correct `subjects` of this experiment")
        chosen = np.random.default_rng(seed).choice(len(trials), n_subjects, replace=False)
        trials = [trials[number] for number in sorted(chosen)]
    n = min(len(subject.rows) for subject in trials)
    count = int(percent * n / 100)
    if count < 2:
        where = f"{percent:g} % of {n} training stimuli of {targets[0].dataset}"
        raise InputError(where, f"{count} stimuli", "at least 2", "leave this percentage out of `percent` of this experiment")
    places = np.random.default_rng(seed).choice(n, count, replace=False)
    trials = [subject.some(places) for subject in trials]
    if permuted:
        rng = np.random.default_rng(seed)
        trials = [replace(subject, responses=subject.responses[rng.permutation(count)]) for subject in trials]
    return trials


@dataclass(frozen=True)
class SubjectStimuli:
    """The k stimuli of a forward pass that one subject saw.

    ``at`` (k,) are their places in the forward pass, ascending, or None for all of it in order. ``places`` (k,) are their places
    among the training stimuli of the subject.
    """

    at: np.ndarray | None
    places: np.ndarray


@dataclass(frozen=True)
class ForwardPass:
    """One forward pass: the distinct ``rows`` (d,) of the stimulus table in it, and which of these stimuli each subject saw."""

    rows: np.ndarray
    subjects: tuple[SubjectStimuli, ...]


class NeuralBatches:
    """Batches of stimuli: each step has one batch of every subject. Each epoch has another random order.

    The stimuli at one place in all subjects belong to the same step, so that subjects that saw the same stimuli share forward
    passes. All subjects have the same number of stimuli, ``size`` in a batch. A forward pass has at most ``at_a_time`` stimuli;
    None stands for all of a step.
    """

    def __init__(self, trials: Sequence[Trials], size: int, at_a_time: int | None, seed: int) -> None:
        self.trials, self.n, self.size, self.at_a_time = trials, len(trials[0].rows), size, at_a_time
        self.epoch_steps = epoch_steps(self.n, size)
        self._order = Order(self.n, seed_of(seed, STIMULI))

    def places(self, step: int) -> np.ndarray:
        """Places of the stimuli of a step among the training stimuli, which are the same for every subject."""
        epoch, number = divmod(step, self.epoch_steps)
        first = epoch * self.n + number * self.size
        return self._order.rows(first, min(first + self.size, (epoch + 1) * self.n)).numpy()

    def forward_passes(self, step: int) -> Iterator[ForwardPass]:
        """Yield the forward passes of a step, in which the numbers of stimuli are about equal."""
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
