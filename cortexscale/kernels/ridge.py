"""Ridge readouts from a Gram matrix, as dual coefficients; the model is that of :mod:`~cortexscale.kernels.bordered_inverse`."""

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.bordered_inverse import precise_enough
from cortexscale.kernels.finite import checked_responses
from cortexscale.kernels.gram import centred


def dual_coefficients(K: Tensor, Y: Tensor | np.ndarray, alpha: np.ndarray) -> tuple[Tensor, Tensor]:
    """Coefficients of a ridge fit to all rows of K (n, n), in any centring, with penalties (T,) above 0, one per unit of Y (n,
    T).

    Returns:
        C (n, T), whose columns sum to 0, and the mean response (T,). The predicted responses to m other stimuli are (cross -
        K.mean(dim=0)) @ C + mean, where ``cross`` is the (m, n) Gram matrix between them and these.
    """
    Y = checked_responses(K, Y).to(K.dtype)
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
