"""What a network is fine-tuned on: stimuli and responses, all of them, a fraction, of some subjects, or paired at random."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.readouts.trials import Trials, training_trials


def neural_pairs(
    targets: Sequence[Targets], *, percent: float = 100, seed: int = 0, n_subjects: int | None = None, permuted: bool = False
) -> list[Trials]:
    """The training stimuli and responses of every subject that takes part, equally many of each (``len(trials[0].rows)``).

    Subsets, choices of subjects and permutations are drawn as in the authors' code, each from ``default_rng(seed)``.

    Args:
        targets: of one dataset.
        percent: of the training stimuli of the subject with the fewest; the same places for all subjects.
        n_subjects: how many, at random; by default all.
        permuted: the control: the responses of each subject are paired with its stimuli at random.

    Raises:
        InputError: more subjects than there are, or a fraction that leaves fewer than two stimuli.
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
        raise InputError(
            f"{percent:g} % of {n} training stimuli of {targets[0].dataset}",
            f"{count} stimuli",
            "at least 2",
            "leave this percentage out of the `fractions` of this experiment",
        )
    places = np.random.default_rng(seed).choice(n, count, replace=False)
    trials = [subject.some(places) for subject in trials]
    if permuted:
        rng = np.random.default_rng(seed)
        trials = [replace(subject, responses=subject.responses[rng.permutation(count)]) for subject in trials]
    return trials
