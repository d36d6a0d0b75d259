"""Ridge readouts from a Gram matrix: dual coefficients.

The model is that of :mod:`~cortexscale.kernels.bordered_inverse`; alphas are given, e.g. as chosen by
:func:`~cortexscale.kernels.nested_ridge.nested_ridge`.
"""

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.bordered_inverse import precise_enough
from cortexscale.kernels.gram import centred


def dual_coefficients(K: Tensor, Y: Tensor, alpha: np.ndarray) -> tuple[Tensor, Tensor]:
    """Coefficients of a fit to all rows of K, one alpha per unit.

    Args:
        K: (n, n) Gram matrix in any centring.
        Y: (n, T) responses.
        alpha: (T,) above 0.

    Returns:
        C (n, T), whose columns sum to 0, and the mean response (T,). Responses to m other stimuli are predicted as
        (cross - K.mean(dim=0)) @ C + mean, where ``cross`` is the (m, n) Gram matrix between them and these.
    """
    Y = _targets(K, Y).to(K.dtype)
    alpha = np.broadcast_to(alpha, Y.shape[1:])
    mean = Y.mean(dim=0)
    Kc, C = centred(K), torch.empty_like(Y)
    for value in np.unique(alpha):
        units = torch.as_tensor(alpha == value, device=K.device)
        factor = Kc.clone()
        factor.diagonal().add_(value)
        with precise_enough(value, Kc):
            C[:, units] = torch.cholesky_solve(Y[:, units] - mean[units], torch.linalg.cholesky(factor))
    return C - C.mean(dim=0), mean


def _targets(K: Tensor, Y: Tensor) -> Tensor:
    """Responses as a tensor beside K, refused if they or K cannot be used."""
    Y = torch.as_tensor(Y, device=K.device)
    if Y.dtype not in (torch.float32, torch.float64):
        Y = Y.to(K.dtype)
    if Y.ndim != 2 or len(Y) != len(K):
        raise ValueError(f"responses of shape {tuple(Y.shape)} for {len(K)} stimuli")
    for name, values in (("kernel value", K), ("response", Y)):
        if not values.isfinite().all():
            row, column = (~values.isfinite()).nonzero()[0].tolist()
            raise ValueError(f"{name} [{row}, {column}] is {values[row, column].item()}")
    return Y
