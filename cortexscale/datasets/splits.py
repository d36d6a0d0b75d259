"""Drawing of test images for releases that have no test set."""

import math

import numpy as np

from cortexscale.errors import InputError


def stratified_test(ids: np.ndarray, strata: np.ndarray, fraction: float, seed: int, where: str) -> np.ndarray:
    """Draw the test images from all strata in proportion to their sizes (largest remainders).

    ``fraction`` is the fraction of all images that are test images; the number of test images is rounded up. The result,
    (images,) bool, is True for test images. It does not depend on the order of the ids. An InputError is raised if there are
    more strata than test images.
    """
    names, counts = np.unique(strata, return_counts=True)
    n_test = number_of_test(len(ids), fraction)
    if n_test < len(names):
        found = f"{n_test} test images ({fraction:g} of {len(ids)}) for {len(names)} strata ({', '.join(names[:4])} ...)"
        raise InputError(where, found, "at least one test image of each", "raise the fraction, or show more images")
    proportion = counts * n_test / len(ids)
    take = np.floor(proportion).astype(int)
    take[np.argsort(take - proportion, kind="stable")[: n_test - take.sum()]] += 1
    rng, test = np.random.default_rng(seed), np.zeros(len(ids), dtype=bool)
    order = np.argsort(ids)
    for name, n in zip(names, take, strict=True):
        test[rng.permutation(order[strata[order] == name])[:n]] = True
    return test


def number_of_test(images: int, fraction: float) -> int:
    """Return the number of test images that are drawn, which is rounded up."""
    return math.ceil(round(images * fraction, 6))  # 0.07 x 100 is 7.000000000000001
