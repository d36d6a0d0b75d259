"""The error for matrices that hold a value which is not finite."""

from torch import Tensor


def not_finite(values: Tensor, name: str) -> ValueError:
    """Make the error that names the first value of a matrix which is not finite.

    Args:
        values: (rows, columns), with a value that is not finite.
        name: the word for one value, such as "response".
    """
    row, column = (int(index) for index in (~values.isfinite()).nonzero()[0])
    return ValueError(f"{name} [{row}, {column}] is {values[row, column].item()}")
