"""Properties of the machine: its device, the precision in which it computes fast, and the number of units that fit its memory."""

import ctypes
import logging
import sys
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)

FAST_FLOAT64 = {(6, 0), (7, 0), (8, 0), (9, 0), (10, 0)}
"""CUDA capabilities of GPUs with float64 at half the speed of float32 or faster: P100, V100, A100, H100 and H200, B200."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Options of ``mallopt``, with their numbers in malloc.h."""

_CPU_UNITS = 512
"""Units of one block on a CPU: enough for matrix products at full speed, few enough to stay in the cache."""


def best_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Ask the C library of Linux to reuse the memory of freed arrays, if it can; other systems are left as they are.

    By default it returns large arrays at once, and page faults of new ones take up to a third of the time of a forward pass.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option:
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
        set_option(_M_TOP_PAD, 2**26)


def working_precision(device: torch.device) -> torch.dtype:
    """float64 on a CPU and on accelerators where it costs at most twice as much as float32; float32 elsewhere."""
    if device.type == "cpu" or (device.type == "cuda" and torch.cuda.get_device_capability(device) in FAST_FLOAT64):
        return torch.float64
    return torch.float32


def units_at_a_time(bytes_per_unit: int, reserved_bytes: int, device: torch.device) -> int:
    """Number of units whose intermediate results fill half of the free memory of an accelerator; a fixed number on a CPU."""
    if device.type != "cuda":
        return _CPU_UNITS
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, (free - reserved_bytes) // (2 * bytes_per_unit))


class Blocks:
    """Cuts a range into blocks that fit the memory of the device, and halves their size for good whenever one did not fit."""

    def __init__(self, size: int):
        self.size = size

    def run(self, length: int, work: Callable[[slice], None]) -> None:
        """Call ``work`` for consecutive slices of ``range(length)``. A slice that runs out of memory is repeated in parts."""
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
            # This stands after the except clause, because within it the traceback keeps the tensors of the failed attempt alive.
            self.size //= 2
            torch.cuda.empty_cache()
            log.warning("out of device memory: going on with %d units at a time", self.size)
