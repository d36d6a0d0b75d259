"""Training trials of a readout: stimuli of one subject and responses to them, only from the training split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError


@dataclass(frozen=True)
class Trials:
    """Training stimuli of one subject, as ``rows`` of the stimulus table, and float32 responses (stimuli, units) to them.

    ``units`` has the columns of ``responses`` for each ROI. ROIs can overlap, and each ROI has at least one unit.
    """

    subject: str
    rows: np.ndarray
    responses: np.ndarray
    units: dict[str, np.ndarray]

    def some(self, chosen: np.ndarray) -> "Trials":
        """Select some trials by their positions in ``rows``."""
        return replace(self, rows=self.rows[chosen], responses=self.responses[chosen])


def subset(n: int, percent: float, seed: int) -> np.ndarray:
    """Put n training stimuli into a random order, and choose the first ``percent`` of them. Return their positions, ascending.

    With the same seed, a larger subset contains every smaller one, and subjects with equal n get the same positions. An
    InputError is raised if fewer than two stimuli are chosen.
    """
    count = int(n * percent / 100)
    if count < 2:
        where = f"{percent:g} % of {n} training stimuli"
        raise InputError(where, f"{count} stimuli", "at least 2, to fit a readout", "leave this number out of mapping.percent")
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])


def training_trials(targets: Sequence[Targets], percent: float = 100, seed: int = 0) -> list[Trials]:
    """Collect all training trials of every subject, or a percentage (:func:`subset`). The test split is not read."""
    trials = []
    for target in targets:
        chosen = subset(len(target.train_rows), percent, seed)
        for subject, groups in target.groups.groupby("subject", sort=False):
            columns = np.flatnonzero(target.members[groups.index].any(axis=0))
            members = target.members[groups.index][:, columns]
            units = {roi: np.flatnonzero(row) for row, roi in zip(members, groups["roi"], strict=True)}
            trials.append(Trials(str(subject), target.train_rows[chosen], target.train[np.ix_(chosen, columns)], units))
    return trials


def held_out(trials: Trials, fraction: float, seed: int) -> tuple[Trials, Trials]:
    """Split trials at random into training trials and a fraction for tuning hyper-parameters."""
    n = len(trials.rows)
    order = np.random.default_rng(seed).permutation(n)
    last = n - round(fraction * n)
    return trials.some(np.sort(order[:last])), trials.some(np.sort(order[last:]))
