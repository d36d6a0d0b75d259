"""Folds of stimuli for cross-validation, as index arrays that partition range(n)."""

from collections.abc import Sequence

import numpy as np


def k_folds(n: int, k: int, *, seed: int | None = None, groups: np.ndarray | None = None) -> list[np.ndarray]:
    """Partition n stimuli into k folds of nearly equal size, as sorted index arrays. If this is impossible, raise ValueError.

    With a seed, the stimuli are shuffled. Without it, folds are contiguous, as in scikit-learn's KFold. Stimuli with the same
    label in ``groups`` (n,), such as a concept, stay in one fold.
    """
    labels = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(labels)
    if not 2 <= k <= len(sizes):
        raise ValueError(f"{k} folds of {len(sizes)} {'stimuli' if groups is None else 'groups'}")
    order = np.arange(len(sizes)) if seed is None else np.random.default_rng(seed).permutation(len(sizes))
    if groups is None:
        return [np.sort(part) for part in np.array_split(order, k)]
    fold_of_group, load = np.empty(len(sizes), dtype=int), np.zeros(k, dtype=int)
    for group in order[np.argsort(-sizes[order], kind="stable")]:  # large groups come first, and each goes into the smallest fold
        fold_of_group[group] = load.argmin()
        load[load.argmin()] += sizes[group]
    return [np.flatnonzero(fold_of_group[labels] == fold) for fold in range(k)]


def contiguous(folds: Sequence[np.ndarray], n: int) -> tuple[np.ndarray, list[slice]]:
    """Order n stimuli so that every fold is a slice. Return the indices (n,) in the new order, and the slices.

    Without folds the order is kept. Folds raise a ValueError if they do not partition the stimuli, or if they leave fewer than
    two stimuli to train on.
    """
    if len(folds) == 0:
        return np.arange(n), []
    order = np.concatenate(folds)
    if not np.array_equal(np.sort(order), np.arange(n)):
        raise ValueError(f"folds of {[len(fold) for fold in folds]} stimuli do not hold each of {n} stimuli exactly once")
    largest = max(len(fold) for fold in folds)
    if n - largest < 2:
        raise ValueError(f"a fold of {largest} leaves {n - largest} of {n} stimuli to train on; leave-one-out needs two")
    stops = np.cumsum([len(fold) for fold in folds]).tolist()
    return order, [slice(stop - len(fold), stop) for stop, fold in zip(stops, folds, strict=True)]
