"""Ranks of very many values, scaled to a unit vector, so that Spearman's correlation is a dot product."""

import torch
from torch import Tensor

_BINS = 2**18
"""Number of bins in which values are counted: the largest number whose tables stay in the cache."""
_PART = 2**22
"""Number of values that are counted at a time."""


def unit_ranks_(values: Tensor) -> Tensor:
    """Replace values (m,) in place by their ranks, with ties averaged, centred and scaled to norm 1; by nan if all are equal.

    float64 values are sorted. float32 values are counted in 2^18 equal bins between their extremes, and the values of a bin get
    their mean rank, which is several times faster. Counting lowers the variance of the ranks by the fraction f = sum(bin
    counts^3) / m^3, and changes a rank correlation by about sqrt(f / m) at random. If this change exceeds 1e-7, because outliers
    stretch the range or values tie, or if f exceeds 1e-8, the values are sorted after all. Counting takes about 50 MB, sorting 50
    bytes per value.
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
    """Scaled rank of the members of each group, from the sizes of all groups in ascending order of rank."""
    middle = counts.cumsum(0) - 0.5 * counts.double() - 0.5 * counts.sum()
    return middle / (counts * middle.square()).sum().sqrt()
