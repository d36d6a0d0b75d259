"""Choose which images share a Gram matrix, and find the images of one dataset in it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def image_sets(wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Choose sets of images to make Gram matrices of, so that each array of rows in ``wanted`` lies within one of them.

    Either all images form one set, or each array forms its own, whichever needs fewer products. Arrays that share most of their
    images, such as those of the datasets on THINGS, get one Gram matrix together; arrays of different images, such as those of
    the subjects of NSD, get one each. In a shared set, the images of the longest array come first, in its order, so that its part
    of the Gram matrix can be used without a copy.
    """
    entries = list({np.sort(rows).tobytes(): rows for rows in reversed(wanted)}.values())[::-1]
    union = pd.unique(np.concatenate(sorted(entries, key=len, reverse=True)))
    return [union] if len(union) ** 2 <= sum(len(rows) ** 2 for rows in entries) else entries


def places(rows: np.ndarray, images: np.ndarray) -> np.ndarray | slice | None:
    """Indices of ``rows`` among ``images``: a slice if they are consecutive there, None if some are missing."""
    found = pd.Index(images).get_indexer(rows)
    if (found < 0).any():
        return None
    consecutive = (np.diff(found) == 1).all()
    return slice(int(found[0]), int(found[-1]) + 1) if consecutive else found


def runs(rows: np.ndarray) -> list[slice]:
    """Turn ascending rows into slices, one for each stretch without a gap."""
    stretches = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return [slice(int(stretch[0]), int(stretch[-1]) + 1) for stretch in stretches]


def in_reading_order(sets: Sequence[np.ndarray]) -> np.ndarray:
    """List all images of ``sets`` once, ordered by the sets they are in, so that each set is a few stretches without a gap."""
    union = pd.unique(np.concatenate(sets))
    return union[np.lexsort([~np.isin(union, images) for images in sets])]
