"""Check that responses are finite, and make the error for a matrix that is not finite."""

import numpy as np
import torch
from torch import Tensor


def not_finite(values: Tensor, name: str) -> ValueError:
    """Make an error that shows the first value in a matrix that is not finite. The message calls the value ``name``."""
    row, column = (int(index) for index in (~values.isfinite()).nonzero()[0])
    return ValueError(f"{name} [{row}, {column}] is {values[row, column].item()}")


def checked_responses(K: Tensor, Y: Tensor | np.ndarray) -> Tensor:
    """Convert responses to a tensor on the device of K. Wrong shapes and values that are not finite raise ValueError."""
    Y = torch.as_tensor(Y, device=K.device)
    if Y.dtype not in (torch.float32, torch.float64):
        Y = Y.to(K.dtype)
    if Y.ndim != 2 or len(Y) != len(K):
        raise ValueError(f"responses of shape {tuple(Y.shape)} for {len(K)} stimuli")
    for name, values in (("kernel value", K), ("response", Y)):
        if not values.isfinite().all():
            raise not_finite(values, name)
    return Y
