"""What a readout is trained on: stimuli and responses of one subject, from the training split alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError


@dataclass(frozen=True)
class Trials:
    """Training stimuli of one subject and the responses to them.

    Attributes:
        subject: its name.
        rows: (n,) rows of the stimulus table.
        responses: (n, units), float32.
        units: ROI -> its columns of ``responses``. ROIs may overlap; each has at least one unit.
    """

    subject: str
    rows: np.ndarray
    responses: np.ndarray
    units: dict[str, np.ndarray]

    def some(self, chosen: np.ndarray) -> "Trials":
        """The stimuli ``chosen``, places in ``rows``."""
        return replace(self, rows=self.rows[chosen], responses=self.responses[chosen])


def subset(n: int, percent: float, seed: int) -> np.ndarray:
    """Places, ascending, of the first ``percent`` of n training stimuli in the random order of a seed.

    With one seed a larger percentage contains every smaller one, and subjects with equally many stimuli have the same places.

    Raises:
        InputError: fewer than two are left.
    """
    count = int(n * percent / 100)
    if count < 2:
        raise InputError(
            f"{percent:g} % of {n} training stimuli",
            f"{count} stimuli",
            "at least 2, to fit a readout",
            "leave this number out of mapping.percent",
        )
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])


def training_trials(targets: Sequence[Targets], percent: float = 100, seed: int = 0) -> list[Trials]:
    """The training trials of every subject, a fraction of them if asked for. The test split is not read.

    Args:
        targets: of one dataset.
        percent, seed: of :func:`subset`.

    Raises:
        InputError: as of :func:`subset`.
    """
    trials = []
    for target in targets:
        chosen = subset(len(target.train_rows), percent, seed)
        for subject, groups in target.groups.groupby("subject", sort=False):
            columns = np.flatnonzero(target.members[groups.index].any(axis=0))
            units = {roi: np.flatnonzero(target.members[group, columns]) for group, roi in groups["roi"].items()}
            trials.append(Trials(str(subject), target.train_rows[chosen], target.train[np.ix_(chosen, columns)], units))
    return trials


def held_out(trials: Trials, share: float, seed: int) -> tuple[Trials, Trials]:
    """Trials to train on, and a random share of them to tune hyper-parameters with."""
    n = len(trials.rows)
    order = np.random.default_rng(seed).permutation(n)
    last = n - round(share * n)
    return trials.some(np.sort(order[:last])), trials.some(np.sort(order[last:]))
