"""Pearson correlation of every unit with its prediction, and its noise-normalised form."""

import numpy as np
import torch
from torch import Tensor


def pearson(prediction: Tensor, target: Tensor, floor: float = 0.0) -> Tensor:
    """Pearson r between the columns of two (stimuli, units) tensors.

    A column that does not vary has r = 0 with anything, never nan: a readout that predicts the mean has earned no
    correlation, and a unit that is silent over the scored stimuli offers none. Columns whose standard deviation is
    within the rounding of their mean count as not varying.

    Args:
        floor: a prediction whose standard deviation is at most ``floor`` times the target's does not vary either: for
            predictions that carry rounding of the size of the target, such as target - residual.

    Returns:
        (units,) float64. Sums run in the inputs' dtype; torch adds in cascade, which costs no digits.
    """
    rounding = 4 * torch.finfo(prediction.dtype).eps
    prediction_mean, target_mean = prediction.mean(dim=0), target.mean(dim=0)
    prediction, target = prediction - prediction_mean, target - target_mean

    def norm(deviation: Tensor) -> Tensor:
        return deviation.square().sum(dim=0).double().sqrt()

    prediction_norm, target_norm = norm(prediction), norm(target)
    root_n = len(target) ** 0.5
    varies = (prediction_norm > torch.maximum(rounding * root_n * prediction_mean.abs(), floor * target_norm)) & (
        target_norm > rounding * root_n * target_mean.abs()
    )
    product = (prediction * target).sum(dim=0).double()
    return torch.where(varies, product / (prediction_norm * target_norm), 0.0)


def noise_normalised(r: np.ndarray, nc_percent: np.ndarray) -> np.ndarray:
    """r / sqrt(noise ceiling): the correlation with the unit's signal, were its noise averaged away.

    Values above 1 are kept: the ceiling is an estimate, and clipping would bias the mean over units.

    Args:
        r: (..., units) Pearson r.
        nc_percent: (units,) noise ceiling in percent of variance.

    Raises:
        ValueError: a ceiling that is not above 0.
    """
    nc_percent = np.asarray(nc_percent)
    if not (nc_percent > 0).all():
        worst = np.flatnonzero(~(nc_percent > 0))[0]
        raise ValueError(
            f"unit {worst} has a noise ceiling of {nc_percent[worst]:g} percent; select units with a ceiling above 0"
        )
    return r / np.sqrt(nc_percent / 100)
