"""How fast a machine is at what the jobs of a study do: measured here in seconds, or stated for another machine."""

import io
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, PositiveFloat

from cortexscale.errors import InputError
from cortexscale.study.problems import checked

MB = 2**20
_DISK_TEST = 256 * MB
_IMAGE_SIZE = 600


class Machine(BaseModel, extra="forbid", frozen=True):
    """Rates of one job."""

    gemm_float64: PositiveFloat = Field(description="FLOP/s of float64 matrix products")
    gemm_float32: PositiveFloat = Field(description="FLOP/s of float32 matrix products")
    inverse_float64: PositiveFloat = Field(description="n^3 operations/s of a float64 Cholesky factor and inverse")
    inverse_float32: PositiveFloat = Field(description="n^3 operations/s of a float32 Cholesky factor and inverse")
    elementwise: PositiveFloat = Field(description="float64 values/s of one pass over an array")
    forward: PositiveFloat = Field(description="FLOP/s of a ResNet-18 at 224 pixels")
    projection: PositiveFloat = Field(description="non-zero entries x images/s of a sparse projection")
    images: PositiveFloat = Field(description=f"images/s, JPEG of {_IMAGE_SIZE} pixels to network input, all workers")
    release: PositiveFloat = Field(description="bytes/s of a compressed release")
    disk_write: PositiveFloat = Field(description="bytes/s under the results folder")
    disk_read: PositiveFloat = Field(description="bytes/s under the results folder, not cached")
    fits: PositiveFloat = Field(description="points x resamples/s of a scaling fit")
    start: PositiveFloat = Field(description="s until a job has imported what it needs")
    start_network: PositiveFloat = Field(description="s until a job with a network has")

    def gemm(self, precision: str) -> float:
        return self.gemm_float64 if self._is_double(precision) else self.gemm_float32

    def inverse(self, precision: str) -> float:
        return self.inverse_float64 if self._is_double(precision) else self.inverse_float32

    def _is_double(self, precision: str) -> bool:
        """``auto`` is float64 where that takes about twice as long; on most graphics cards it takes 32 times."""
        return precision == "float64" or (precision == "auto" and self.gemm_float64 > self.gemm_float32 / 4)


PRESETS = {
    "h200": Machine(
        gemm_float64=50e12,
        gemm_float32=50e12,
        inverse_float64=25e12,
        inverse_float32=25e12,
        elementwise=4e11,
        forward=40e12,
        projection=3e11,
        images=800,
        release=200e6,
        disk_write=1e9,
        disk_read=1e9,
        fits=9e4,
        start=5,
        start_network=10,
    )
}
"""Machines by arithmetic from data sheets, NOT measured: three quarters of the peak of a matrix product, half of that for
an inverse, eight workers for images, a shared file system."""


def machine_of(name: str, rates: dict[str, float], folder: Path) -> tuple[Machine, str]:
    """The machine of the config section ``estimate``, and where its rates come from.

    Args:
        name: ``here`` is measured, with files in ``folder``; others are ``PRESETS``.
        rates: what is known better.

    Raises:
        InputError: no such machine or rate.
    """
    if name != "here" and name not in PRESETS:
        raise InputError(
            "config key estimate.machine", name, f"here or {', '.join(PRESETS)}", "set single rates under estimate.rates"
        )
    checked(Machine, dict.fromkeys(Machine.model_fields, 1.0) | rates, "config key estimate.rates")  # before seconds are spent
    base = measure(folder) if name == "here" else PRESETS[name]
    origin = "measured just now" if name == "here" else f"preset {name}: arithmetic from data sheets, not measured"
    return base.model_copy(update=rates), origin + (f"; set in the config: {', '.join(rates)}" if rates else "")


def measure(folder: Path) -> Machine:
    """The rates of this machine with the device and the threads that torch has in this process.

    On a CPU in CPU seconds per thread, so that what else runs here at the moment counts little.
    """
    rates = _arithmetic() | _fits() | _release() | _disk(folder)
    return Machine(
        **rates,
        start=_start("cortexscale.alignment.search", "cortexscale.alignment.subjects"),
        start_network=_start("cortexscale.features.extract", "cortexscale.models.build"),
    )


def _arithmetic() -> dict[str, float]:
    import torch
    from PIL import Image

    from cortexscale.kernels.device import best_device
    from cortexscale.kernels.projection import RandomProjection
    from cortexscale.models.vision import timm, transforms

    device = best_device()
    on_cpu = device.type == "cpu"

    def seconds(work: Callable[[], object]) -> float:
        def timed() -> float:
            if on_cpu:
                started = time.process_time()
                work()
                return (time.process_time() - started) / torch.get_num_threads()
            torch.cuda.synchronize()
            started = time.perf_counter()
            work()
            torch.cuda.synchronize()
            return time.perf_counter() - started

        timed()  # the first call chooses algorithms
        return min(timed() for _ in range(2))

    n, rates = 2048 if on_cpu else 12288, {}
    for name, dtype in (("float64", torch.float64), ("float32", torch.float32)):
        x = torch.randn(n, n, dtype=dtype, device=device)
        rates[f"gemm_{name}"] = 2 * n**3 / seconds(lambda x=x: x @ x)
        x = x @ x.T
        x.diagonal().add_(n)
        rates[f"inverse_{name}"] = n**3 / seconds(lambda x=x: torch.cholesky_inverse(torch.linalg.cholesky(x)))
    x = torch.rand(n, 512, dtype=torch.float64, device=device)
    rates["elementwise"] = 2 * x.numel() / seconds(lambda: x.div_(1.0001).square_())

    batch, flops = (4, 3.63e9) if on_cpu else (256, 3.63e9)
    network = timm.create_model("resnet18").eval().to(device)
    pictures = torch.zeros(batch, 3, 224, 224, device=device)
    with torch.inference_mode():
        rates["forward"] = batch * flops / seconds(lambda: network(pictures))
        projection, n_in, n_images = RandomProjection("sparse", 100_000, 4096, 0), 100_000, 32
        activations = torch.rand(n_images, n_in, device=device)
        rates["projection"] = n_images * 4096 * n_in**0.5 / seconds(lambda: projection(activations))

    file = io.BytesIO()
    smooth = np.random.default_rng(0).integers(0, 255, (_IMAGE_SIZE // 8, _IMAGE_SIZE // 8, 3), dtype=np.uint8)
    Image.fromarray(smooth).resize((_IMAGE_SIZE, _IMAGE_SIZE)).save(file, "JPEG")
    transform = transforms.Compose([transforms.Resize(224), transforms.CenterCrop(224), transforms.ToTensor()])
    rates["images"] = 8 / seconds(lambda: [transform(Image.open(file).convert("RGB")) for _ in range(8)])
    return rates


def _fits() -> dict[str, float]:
    from cortexscale.kernels.power_law import fit_power_law, resample_counts

    x, resamples = np.logspace(0, 4, 100), 200
    score = 0.8 - 0.5 * (x + 10) ** -0.4 + np.random.default_rng(0).normal(0, 0.01, len(x))
    counts = resample_counts(len(x), resamples, 0)
    started = time.process_time()
    fit_power_law(x, score, form="offset", counts=counts)
    return {"fits": len(x) * resamples / (time.process_time() - started)}


def _release() -> dict[str, float]:
    """As if every release were gzip: decompression is slower than any disk."""
    betas = np.random.default_rng(0).normal(0, 300, 4 * MB).astype(np.int16).tobytes()
    packed = zlib.compress(betas, 1)
    started = time.process_time()
    zlib.decompress(packed)
    return {"release": len(packed) / (time.process_time() - started)}


def _disk(folder: Path) -> dict[str, float]:
    folder.mkdir(parents=True, exist_ok=True)
    file, block, rates = folder / f".estimate.{os.getpid()}.part", os.urandom(8 * MB), {}
    try:
        started = time.perf_counter()
        with file.open("wb") as handle:
            for _ in range(_DISK_TEST // len(block)):
                handle.write(block)
            handle.flush()
            os.fsync(handle.fileno())
        rates["disk_write"] = _DISK_TEST / (time.perf_counter() - started)
        with file.open("rb", buffering=0) as handle:
            if hasattr(os, "posix_fadvise"):  # elsewhere (macOS) the file is read from memory
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            started = time.perf_counter()
            while handle.read(len(block)):
                pass
            rates["disk_read"] = _DISK_TEST / (time.perf_counter() - started)
    finally:
        file.unlink(missing_ok=True)
    return rates


def _start(*modules: str) -> float:
    """CPU seconds of a new Python that imports these modules: with small data most of a job."""
    before = os.times()
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)
    after = os.times()
    return max(after.children_user + after.children_system - before.children_user - before.children_system, 0.01)
