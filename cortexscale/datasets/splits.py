"""Drawing of test images for releases that have no test set."""

import math

import numpy as np

from cortexscale.errors import InputError


def stratified_test(ids: np.ndarray, strata: np.ndarray, fraction: float, seed: int, where: str) -> np.ndarray:
    """Draw the test images from all strata in proportion to their sizes.

    The draw is that of scikit-learn's ``train_test_split(ids, test_size=n, stratify=strata, random_state=seed)`` for ids in
    ascending order. With a fraction of 0.1 and seed 42, the authors of the paper drew the test images of FreemanZiemba2013 and
    MajajHong2015 in this way (``data_prep/bs_fz.ipynb`` and ``bs_mh.ipynb`` of their code).

    ``fraction`` is the fraction of all images that are test images; the number of test images is rounded up. ``seed`` is a number
    from 0 to 2**32 - 1. The result, (images,) bool, is True for test images. It does not depend on the order of the ids. An
    InputError is raised if there are more strata than test images.
    """
    names, counts = np.unique(strata, return_counts=True)
    n_test = number_of_test(len(ids), fraction)
    if n_test < len(names):
        found = f"{n_test} test images ({fraction:g} of {len(ids)}) for {len(names)} strata ({', '.join(names[:4])} ...)"
        raise InputError(where, found, "at least one test image of each", "raise the fraction, or show more images")
    rng, test = np.random.RandomState(seed), np.zeros(len(ids), dtype=bool)
    train_counts = _apportioned(counts, len(ids) - n_test, rng)
    test_counts = _apportioned(counts - train_counts, n_test, rng)
    order = np.argsort(ids)
    for name, n_before, n in zip(names, train_counts, test_counts, strict=True):
        drawn = rng.permutation(order[strata[order] == name])
        test[drawn[n_before : n_before + n]] = True
    return test


def number_of_test(images: int, fraction: float) -> int:
    """Return the number of test images that are drawn, which is rounded up."""
    return math.ceil(round(images * fraction, 6))  # 0.07 x 100 is 7.000000000000001


def _apportioned(counts: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """Divide n draws among strata in proportion to their ``counts``, by largest remainders. Ties are drawn."""
    exact = counts / counts.sum() * n
    taken = np.floor(exact).astype(int)
    remainder = exact - taken
    for value in np.unique(remainder)[::-1]:
        if (missing := n - taken.sum()) <= 0:
            break
        (tied,) = np.nonzero(remainder == value)
        taken[rng.choice(tied, min(len(tied), missing), replace=False)] += 1
    return taken
