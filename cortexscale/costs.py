"""Rates of a machine, and costs of a job in time, memory and disk.

The ``bounds.py`` of each package computes the costs of its stages from array sizes and the rates of a machine.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, Field, PositiveFloat

LONGEST = 2 * 24 * 60
"""Longest time limit, in minutes, of a job that can continue where a killed attempt stopped."""
IMAGE_SIZE = 600
"""Width and height, in pixels, of the JPEG images for which the rate ``images`` is given."""


@dataclass(frozen=True)
class Cost:
    """Time, memory and disk that one job needs.

    Attributes:
        seconds: run time in seconds.
        memory: host memory in bytes.
        disk: size of the job's results on disk, in bytes.
        resumes: whether a job that was killed continues where it stopped.
    """

    seconds: float
    memory: float
    disk: float = 0.0
    resumes: bool = False

    @property
    def minutes(self) -> int:
        """Time limit in minutes, rounded up. For a job that resumes, it is at most ``LONGEST``."""
        minutes = math.ceil(self.seconds / 60)
        return min(minutes, LONGEST) if self.resumes else minutes

    @property
    def mb(self) -> int:
        """Memory in MB, rounded up."""
        return math.ceil(self.memory / 1e6)


def formula(cost: Callable[..., Cost]) -> str:
    """Return the second paragraph of a cost function's docstring, which is its formula, as one line."""
    text = inspect.getdoc(cost) or ""
    return " ".join(text.split("\n\n")[1].split())


class Machine(BaseModel, extra="forbid", frozen=True):
    """Speeds of a machine for one job, such as FLOP/s and bytes/s."""

    gemm_float64: PositiveFloat = Field(description="FLOP/s of float64 matrix products")
    gemm_float32: PositiveFloat = Field(description="FLOP/s of float32 matrix products")
    inverse_float64: PositiveFloat = Field(description="n^3 operations/s of a float64 Cholesky factor and inverse")
    inverse_float32: PositiveFloat = Field(description="n^3 operations/s of a float32 Cholesky factor and inverse")
    elementwise: PositiveFloat = Field(description="float64 values/s of one pass over an array")
    forward: PositiveFloat = Field(description="FLOP/s of a ResNet-18 at 224 pixels")
    projection: PositiveFloat = Field(description="non-zero entries x images/s of a sparse projection")
    images: PositiveFloat = Field(description=f"images/s, JPEG of {IMAGE_SIZE} pixels to network input, all workers")
    release: PositiveFloat = Field(description="bytes/s of a compressed release")
    disk_write: PositiveFloat = Field(description="bytes/s under the results folder")
    disk_read: PositiveFloat = Field(description="bytes/s under the results folder, not cached")
    fits: PositiveFloat = Field(description="points x resamples/s of a scaling fit")
    start: PositiveFloat = Field(description="seconds that a job takes to import its libraries")
    start_network: PositiveFloat = Field(description="seconds that a job takes to import its libraries if it runs a network")

    def gemm(self, precision: str) -> float:
        """Return the FLOP/s of matrix products. ``precision`` is ``float64``, ``float32`` or ``auto``."""
        return self.gemm_float64 if self._is_double(precision) else self.gemm_float32

    def inverse(self, precision: str) -> float:
        """Return the speed of inverting (n, n) matrices, in n^3 operations/s.

        ``precision`` has the same values as in :meth:`gemm`.
        """
        return self.inverse_float64 if self._is_double(precision) else self.inverse_float32

    def _is_double(self, precision: str) -> bool:
        """Tell whether products are float64. With ``auto`` they are, if their rate is more than a quarter of the float32 rate."""
        return precision == "float64" or (precision == "auto" and self.gemm_float64 > self.gemm_float32 / 4)


_RATES = {
    "gemm_float64": (50e12, 5e12),
    "gemm_float32": (50e12, 5e12),
    "inverse_float64": (25e12, 2.5e12),
    "inverse_float32": (25e12, 2.5e12),
    "elementwise": (4e11, 4e10),
    "forward": (40e12, 5e12),
    "projection": (3e11, 3e10),
    "images": (800, 200),
    "release": (200e6, 20e6),
    "disk_write": (1e9, 1e8),
    "disk_read": (1e9, 1e8),
    "fits": (9e4, 5e3),
    "start": (5, 20 * 60),
    "start_network": (10, 30 * 60),
}
"""Rates of the machines ``h200`` and ``slowest``. They were computed, not measured.

The rates of ``h200`` follow from data sheets. A matrix product is assumed to run at three quarters of the GPU's peak rate, and an
inverse at half the rate of a matrix product. Eight workers read images from a shared file system. Time limits are long enough for
the machine ``slowest``. It is about half as fast as a V100, and programs take minutes to start on its busy file system.
"""
H200, SLOWEST = (Machine(**{name: rates[n] for name, rates in _RATES.items()}) for n in (0, 1))
PRESETS = {"h200": H200, "slowest": SLOWEST}
