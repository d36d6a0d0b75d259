"""Pearson correlation between predicted and observed responses of each unit, and its noise-normalised form."""

import numpy as np
import torch
from torch import Tensor


def pearson(predicted: Tensor, observed: Tensor, floor: float = 0.0) -> Tensor:
    """Compute Pearson r, (units,) float64, between the columns of two (stimuli, units) tensors of one dtype.

    A column that is constant up to the rounding of its mean gives r = 0, not nan, because a readout that predicts the mean
    explains nothing. A predicted column also gives 0 if its standard deviation is at most ``floor`` times that of the observed
    column. The floor is needed for predictions computed as observed - residual, because their rounding grows with the observed
    values.
    """
    rounding = 4 * torch.finfo(predicted.dtype).eps
    predicted_mean, observed_mean = predicted.mean(dim=0), observed.mean(dim=0)
    predicted, observed = predicted - predicted_mean, observed - observed_mean

    def norm(deviation: Tensor) -> Tensor:
        return deviation.square().sum(dim=0).double().sqrt()

    predicted_norm, observed_norm = norm(predicted), norm(observed)
    root_n = len(observed) ** 0.5
    varies = (predicted_norm > torch.maximum(rounding * root_n * predicted_mean.abs(), floor * observed_norm)) & (
        observed_norm > rounding * root_n * observed_mean.abs()
    )
    product = (predicted * observed).sum(dim=0).double()
    return torch.where(varies, product / (predicted_norm * observed_norm), 0.0)


def noise_normalised(r: np.ndarray, nc_percent: np.ndarray) -> np.ndarray:
    """Divide r (..., units) by the square root of noise ceilings (units,) in percent of variance.

    The result estimates the r that noise-free responses would give. Values above 1 are kept, because clipping would bias the mean
    over units.
    """
    nc_percent = np.asarray(nc_percent)
    if not (nc_percent > 0).all():
        worst = np.flatnonzero(~(nc_percent > 0))[0]
        raise ValueError(
            f"unit {worst} has a noise ceiling of {nc_percent[worst]:g} percent; select units with a ceiling above 0"
        )
    return r / np.sqrt(nc_percent / 100)
