"""Choice of the images that share a Gram matrix, and search for the images of one dataset in such a matrix."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def image_sets(wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Choose sets of images, one for each Gram matrix. Each array of rows in ``wanted`` is a part of one set.

    Either all images form one set, or each array forms its own set, whichever needs fewer products. If arrays share most of their
    images, as in the datasets on THINGS, they share one Gram matrix. If most images differ, as between the subjects of NSD, each
    array has its own. In a shared set, the images of the longest array come first and keep their order. The part of the Gram
    matrix for this array can then be used without a copy.
    """
    entries = list({np.sort(rows).tobytes(): rows for rows in reversed(wanted)}.values())[::-1]
    union = pd.unique(np.concatenate(sorted(entries, key=len, reverse=True)))
    return [union] if len(union) ** 2 <= sum(len(rows) ** 2 for rows in entries) else entries


def places(rows: np.ndarray, images: np.ndarray) -> np.ndarray | slice | None:
    """Return the indices of ``rows`` in ``images``. Consecutive indices are returned as a slice.

    If some rows are missing, return None.
    """
    found = pd.Index(images).get_indexer(rows)
    if (found < 0).any():
        return None
    consecutive = (np.diff(found) == 1).all()
    return slice(int(found[0]), int(found[-1]) + 1) if consecutive else found


def runs(rows: np.ndarray) -> list[slice]:
    """Turn ascending row numbers into slices, one for each run of consecutive rows."""
    stretches = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return [slice(int(stretch[0]), int(stretch[-1]) + 1) for stretch in stretches]


def in_reading_order(sets: Sequence[np.ndarray]) -> np.ndarray:
    """List every image of ``sets`` once.

    Images that belong to the same sets are neighbours, so each set consists of a few runs of images in this order.
    """
    union = pd.unique(np.concatenate(sets))
    return union[np.lexsort([~np.isin(union, images) for images in sets])]
