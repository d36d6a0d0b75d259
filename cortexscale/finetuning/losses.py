"""Distances between predicted and measured responses (stimuli, units), with gradients; a perfect prediction has 0."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """1 - linear CKA (Kornblith et al. 2019), with the biased estimate of the authors' code."""
    ours, theirs = (_similarities(values) for values in (predicted, measured))
    smallest = torch.finfo(ours.dtype).tiny  # the norms of a single stimulus are 0
    return 1 - (ours * theirs).sum() / (ours.norm() * theirs.norm()).clamp_min(smallest)


def log_one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """log(1 - CKA), with 1e-8 added to the argument."""
    return torch.log(one_minus_cka(predicted, measured) + 1e-8)


def _similarities(values: Tensor) -> Tensor:
    """(stimuli, stimuli) inner products of centred responses."""
    centred = values - values.mean(dim=0)
    return centred @ centred.T


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "cka": one_minus_cka,
    "logcka": log_one_minus_cka,
}
"""Losses of one subject and ROI, averaged over stimuli and units (Eq. 4), by ``loss`` of a recipe."""
