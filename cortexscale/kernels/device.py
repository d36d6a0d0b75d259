"""Properties of the machine: its device, its fast precision, and the number of units that fit in its memory."""

import ctypes
import logging
import sys
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)

FAST_FLOAT64 = {(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)}
"""CUDA capabilities of GPUs that compute float64 at least half as fast as float32: P100, V100, A100, H100 and H200, B200."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Numbers of options of ``mallopt``, from malloc.h."""

_CPU_UNITS = 512
"""Number of units in one block on a CPU: enough for fast matrix products, and few enough to stay in the cache."""


def best_device() -> torch.device:
    """Return the GPU if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Ask the C library of Linux to reuse the memory of freed arrays. On other systems this does nothing.

    By default the library returns the memory of large arrays to the system at once. Page faults of new arrays then take up to a
    third of the time of a forward pass.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option:
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
        set_option(_M_TOP_PAD, 2**26)


def working_precision(device: torch.device) -> torch.dtype:
    """Return float64 for a CPU and for accelerators that compute it at least half as fast as float32, otherwise float32."""
    if device.type == "cpu" or (device.type == "cuda" and torch.cuda.get_device_capability(device) in FAST_FLOAT64):
        return torch.float64
    return torch.float32


def units_at_a_time(bytes_per_unit: int, reserved_bytes: int, device: torch.device) -> int:
    """Return the number of units whose intermediate results fill half of an accelerator's free memory. On a CPU the number is
    fixed.
    """
    if device.type != "cuda":
        return _CPU_UNITS
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, (free - reserved_bytes) // (2 * bytes_per_unit))


class Blocks:
    """Work through a long range in blocks that fit in the memory of the device.

    Whenever a block does not fit, all later blocks have half its size.
    """

    def __init__(self, size: int):
        self.size = size

    def run(self, length: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` for consecutive slices of ``range(length)``. If a slice needs too much memory, a shorter one is tried."""
        first = 0
        while first < length:
            try:
                work(slice(first, min(first + self.size, length)))
            except torch.OutOfMemoryError:
                if self.size == 1:
                    raise
            else:
                first += self.size
                continue
            # These lines follow the except clause, because within it the traceback keeps the tensors of the failed attempt alive.
            self.size //= 2
            torch.cuda.empty_cache()
            log.warning("out of device memory: going on with %d units at a time", self.size)
