"""How far predicted responses are from the measured ones, with gradients: (stimuli, units) each, 0 for perfect predictions."""

import torch
from torch import Tensor
from torch.nn import functional


def one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """1 - linear CKA (Kornblith et al. 2019), biased as in the authors' code."""
    ours, theirs = (_similarities(values) for values in (predicted, measured))
    smallest = torch.finfo(ours.dtype).tiny  # a single stimulus has no similarities
    return 1 - (ours * theirs).sum() / (ours.norm() * theirs.norm()).clamp_min(smallest)


def log_one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    return torch.log(one_minus_cka(predicted, measured) + 1e-8)


def _similarities(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=0)
    return centred @ centred.T


LOSSES = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "cka": one_minus_cka,
    "logcka": log_one_minus_cka,
}
"""By ``loss`` of :class:`cortexscale.recipe.NeuralRecipe`; of a subject and ROI, averaged over stimuli and units (Eq. 4)."""
