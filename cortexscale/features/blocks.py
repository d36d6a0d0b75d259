"""Numbers of rows and columns of activations that lie in memory, or on disk, at a time. Estimates of costs use them too."""

ROWS, COLUMNS = 256, 2048
"""Rows and columns of a chunk of a layer in a store: whole rows are written, whole columns are read."""
WAITING = 2e9
"""Largest number of bytes of rows that wait in memory until their block is complete."""


def columns_at_a_time(n_images: int, scratch_bytes: float, batch_size: int) -> float:
    """Columns whose float16 activations of all images fit the scratch space, and those of a block of rows fit ``WAITING``."""
    return min(scratch_bytes / n_images, WAITING / min(n_images, ROWS + batch_size)) / 2
