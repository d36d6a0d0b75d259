"""Which images share a Gram matrix, and where in it those of one dataset are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def image_sets(wanted: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The sets of images to make Gram matrices of, so that each of ``wanted`` (rows of the stimulus table) lies in one.

    Entries that mostly repeat each other's images, like the datasets on THINGS, share one Gram matrix of all of them;
    entries with images of their own, like the subjects of NSD, get one each: whichever has fewer products. In a shared one
    the images of the largest entry come first, in its order, so that its part can be used without a copy.
    """
    entries = list({np.sort(rows).tobytes(): rows for rows in reversed(wanted)}.values())[::-1]
    union = pd.unique(np.concatenate(sorted(entries, key=len, reverse=True)))
    return [union] if len(union) ** 2 <= sum(len(rows) ** 2 for rows in entries) else entries


def places(rows: np.ndarray, images: np.ndarray) -> np.ndarray | slice | None:
    """Where ``rows`` are among ``images``: a slice if they follow each other there, None if some are missing."""
    found = pd.Index(images).get_indexer(rows)
    if (found < 0).any():
        return None
    consecutive = (np.diff(found) == 1).all()
    return slice(int(found[0]), int(found[-1]) + 1) if consecutive else found


def runs(rows: np.ndarray) -> list[slice]:
    """Ascending rows as slices, one for each stretch without a gap."""
    stretches = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return [slice(int(stretch[0]), int(stretch[-1]) + 1) for stretch in stretches]


def in_reading_order(sets: Sequence[np.ndarray]) -> np.ndarray:
    """All images of ``sets`` once, those together that are in the same sets: each set is then a few stretches without a gap."""
    union = pd.unique(np.concatenate(sets))
    return union[np.lexsort([~np.isin(union, images) for images in sets])]
