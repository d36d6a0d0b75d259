"""Stimuli and responses that a network is fine-tuned on: all, or a subset of stimuli or subjects, or paired at random."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.readouts.trials import Trials, training_trials


def neural_pairs(
    targets: Sequence[Targets], *, percent: float = 100, seed: int = 0, n_subjects: int | None = None, permuted: bool = False
) -> list[Trials]:
    """Choose the training stimuli and responses of the subjects, equally many of each.

    Subsets, subjects and permutations are drawn as in the authors' code, each from ``default_rng(seed)``.

    Args:
        percent: percent of the training stimuli of the subject with the fewest. All subjects get the same places.
        n_subjects: number of subjects, chosen at random; by default all.
        permuted: pair the responses of each subject with its stimuli at random, as a control.

    Raises:
        InputError: there are fewer subjects, or the percentage leaves fewer than two stimuli.
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
            "leave this percentage out of `percent` of this experiment",
        )
    places = np.random.default_rng(seed).choice(n, count, replace=False)
    trials = [subject.some(places) for subject in trials]
    if permuted:
        rng = np.random.default_rng(seed)
        trials = [replace(subject, responses=subject.responses[rng.permutation(count)]) for subject in trials]
    return trials
