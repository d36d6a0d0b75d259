"""Numbers of rows and columns of activations that lie in memory or on disk at a time. Estimates of costs also use them."""

ROWS, COLUMNS = 256, 2048
"""Rows and columns in a chunk of a store. Layers are written by whole rows and read by whole columns."""
WAITING = 2e9
"""Largest number of bytes of rows that wait in memory until their block is complete."""


def columns_at_a_time(n_images: int, scratch_bytes: float, batch_size: int) -> float:
    """Number of columns whose float16 activations fit the scratch space for all images, and ``WAITING`` for a block of rows."""
    return min(scratch_bytes / n_images, WAITING / min(n_images, ROWS + batch_size)) / 2
