"""Costs of reading releases and images."""

from cortexscale.costs import Cost, Machine

LARGEST_RELEASE = 250e9
"""Size, in bytes, that is assumed for one subject's released files if their size is unknown. No subject of the paper has larger
files."""


def preprocess(machine: Machine, *, released: float, images: int, units: float, reader_mb: int) -> Cost:
    """Cost of reading one subject of a dataset.

    start + released bytes / release + written / disk_write; disk: 4 x images x units; memory: memory of the reader + 0.5 GB
    """
    written = 4 * images * units
    return Cost(machine.start + released / machine.release + written / machine.disk_write, 0.5e9 + 1e6 * reader_mb, written)


def stimulus_table(machine: Machine, images: int) -> Cost:
    """Cost of listing and hashing the images of a stimulus set.

    start + number of images / images
    """
    return Cost(machine.start + images / machine.images, 2e9)
