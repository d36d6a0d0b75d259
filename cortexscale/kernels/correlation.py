"""Pearson correlation between every unit and its prediction, and its noise-normalised form."""

import numpy as np
import torch
from torch import Tensor


def pearson(predicted: Tensor, observed: Tensor, floor: float = 0.0) -> Tensor:
    """Pearson r between the columns of two (stimuli, units) tensors of one dtype: (units,) float64.

    A column whose standard deviation is within the rounding of its mean has r = 0 with everything, never nan: a readout that
    predicts the mean has earned no correlation. So has a predicted column whose standard deviation is at most ``floor`` times
    that of the observed one, for predictions such as observed - residual, whose rounding is of the size of the observed values.
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
    """Divide r (..., units) by the square root of ceilings (units,) in percent, which estimates r with the noise-free response.

    Values above 1 are kept: the ceiling is an estimate, and clipping would bias the mean over units.
    """
    nc_percent = np.asarray(nc_percent)
    if not (nc_percent > 0).all():
        worst = np.flatnonzero(~(nc_percent > 0))[0]
        raise ValueError(
            f"unit {worst} has a noise ceiling of {nc_percent[worst]:g} percent; select units with a ceiling above 0"
        )
    return r / np.sqrt(nc_percent / 100)
