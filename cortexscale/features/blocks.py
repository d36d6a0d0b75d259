"""Sizes of blocks of activations in memory and on disk. Estimates of costs use the same sizes."""

ROWS, COLUMNS = 256, 2048
"""Number of rows and number of columns in a chunk of a store. Layers are written by whole rows and read by whole columns."""
WAITING = 2e9
"""Largest size, in bytes, of the rows that wait in memory until their block is complete."""


def columns_at_a_time(n_images: int, scratch_bytes: float, batch_size: int) -> float:
    """Return the number of columns that fit in memory and on disk.

    On disk, float16 columns of all images must fit in the scratch space. In memory, columns of the rows that wait must fit in
    ``WAITING``.
    """
    return min(scratch_bytes / (2 * n_images), WAITING / waiting_bytes(n_images, batch_size))


def waiting_bytes(n_images: int, batch_size: int) -> int:
    """Return the bytes of one column of the waiting rows: float16 for the rows of a block, and float32 for two batches."""
    return 2 * min(n_images, ROWS) + 8 * min(n_images, batch_size)
