"""Ranks of a very large number of values.

Ranks are centred and scaled to norm 1. The dot product of two such vectors is Spearman's correlation.
"""

import torch
from torch import Tensor

_BINS = 2**18
"""Number of bins in which values are counted. It is the largest number whose tables stay in the cache."""
_PART = 2**22
"""Number of values that are counted at a time."""


def unit_ranks_(values: Tensor) -> Tensor:
    """Replace values (m,) in place by their ranks, centred and scaled to norm 1.

    Ties have their mean rank. If all values are equal, the result is nan. float64 values are sorted. float32 values are counted
    in 2^18 equal bins between their extremes, and all values in a bin get their mean rank. This is several times faster. Counting
    lowers the variance of the ranks by the fraction f = sum(bin counts^3) / m^3, and changes a rank correlation at random by
    about sqrt(f / m). Outliers and ties raise f. The values are sorted if f exceeds 1e-8 or the change exceeds 1e-7. Counting
    takes about 50 MB, and sorting 50 bytes per value.
    """
    low, high = values.aminmax()
    if not low < high:
        return values.fill_(torch.nan)
    m = len(values)
    if values.dtype == torch.float32:
        counts = torch.zeros(_BINS, dtype=torch.int64, device=values.device)
        for part in values.split(_PART):
            counts += torch.bincount(_bin(part, low, high), minlength=_BINS)
        if (counts / m).pow(3).sum() <= min(1e-14 * m, 1e-8):
            table = _rank_of_group(counts).float()
            for part in values.split(_PART):
                torch.index_select(table, 0, _bin(part, low, high), out=part)
            return values
    ordered, order = values.sort()
    _, group, counts = ordered.unique_consecutive(return_inverse=True, return_counts=True)
    return values.index_copy_(0, order, _rank_of_group(counts)[group].to(values.dtype))


def _bin(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return (values - low).mul_((_BINS - 1) / (high - low)).to(torch.int32)


def _rank_of_group(counts: Tensor) -> Tensor:
    """Return the scaled rank of the members of each group. ``counts`` has the sizes of groups in ascending order of rank."""
    middle = counts.cumsum(0) - 0.5 * counts.double() - 0.5 * counts.sum()
    return middle / (counts * middle.square()).sum().sqrt()
