"""Sizes of blocks of activations in memory and on disk. Estimates of costs use the same sizes."""

ROWS, COLUMNS = 256, 2048
"""Number of rows and number of columns in a chunk of a store. Layers are written by whole rows and read by whole columns."""
WAITING = 2e9
"""Largest size, in bytes, of the rows that wait in memory until their block is complete."""


def columns_at_a_time(n_images: int, scratch_bytes: float, batch_size: int) -> float:
    """Return the number of float16 columns that fit in memory and on disk.

    On disk, columns of all images must fit in the scratch space. In memory, columns of a block of rows must fit in
    ``WAITING``.
    """
    return min(scratch_bytes / n_images, WAITING / min(n_images, ROWS + batch_size)) / 2
