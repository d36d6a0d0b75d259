"""What the machine offers: the precision it computes fast in, and how many units fit in its memory at a time."""

import ctypes
import logging
import sys
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)

FAST_FLOAT64 = {(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)}
"""CUDA capabilities with float64 at half the speed of float32 or better: P100, V100, A100, H100 and H200, B200."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Options of ``mallopt``, from malloc.h."""

_CPU_UNITS = 512
"""Enough for matrix products at full speed, few enough to stay in the cache."""


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Ask the C library of Linux to keep the memory of freed arrays for the next ones.

    It hands large arrays back at once, and each new one begins with page faults: up to a third of the time of a forward pass.
    Whether it can keep them depends on where the loader has put its heap. Elsewhere nothing happens.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option:
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
        set_option(_M_TOP_PAD, 2**26)


def working_precision(device: torch.device) -> torch.dtype:
    """float64 where it costs at most twice float32, as on a CPU and on the large accelerators; float32 elsewhere."""
    if device.type == "cpu" or (device.type == "cuda" and torch.cuda.get_device_capability(device) in FAST_FLOAT64):
        return torch.float64
    return torch.float32


def units_at_a_time(bytes_per_unit: int, reserved_bytes: int, device: torch.device) -> int:
    """Units whose intermediate results fill half of the free memory of an accelerator; a fixed number on a CPU.

    Args:
        reserved_bytes: what else is yet to be allocated.
    """
    if device.type != "cuda":
        return _CPU_UNITS
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, (free - reserved_bytes) // (2 * bytes_per_unit))


class Blocks:
    """Cuts a range into blocks that the device can hold: half as large after each time it could not.

    Attributes:
        size: the present length of a block. It never grows again, as the memory was asked for once.
    """

    def __init__(self, size: int):
        self.size = size

    def run(self, length: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` for consecutive slices of ``range(length)``; a slice that ran out of memory is called again, in parts.

        Raises:
            torch.OutOfMemoryError: not even one at a time fits.
        """
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
            # Out of the except clause: its traceback kept the tensors of the failed attempt alive.
            self.size //= 2
            torch.cuda.empty_cache()
            log.warning("out of device memory: going on with %d units at a time", self.size)
