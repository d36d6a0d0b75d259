"""Measure the rates of this machine within seconds."""

import io
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from cortexscale.costs import IMAGE_SIZE, PRESETS, Machine
from cortexscale.study.problems import checked

MB = 2**20
_DISK_TEST = 256 * MB


def machine_of(name: str, rates: dict[str, float], folder: Path) -> tuple[Machine, str]:
    """Return the machine of the config section ``estimate``, and a text that says where its rates come from.

    ``name`` is ``here`` or one of ``PRESETS``. This machine is measured with files in ``folder``. The given ``rates`` replace
    rates of the machine. An unknown rate raises an InputError.
    """
    checked(Machine, dict.fromkeys(Machine.model_fields, 1.0) | rates, "config key estimate.rates")  # before rates are measured
    base = measure(folder) if name == "here" else PRESETS[name]
    origin = "measured just now" if name == "here" else f"preset {name}: arithmetic from data sheets, not measured"
    return base.model_copy(update=rates), origin + (f"; set in the config: {', '.join(rates)}" if rates else "")


def measure(folder: Path) -> Machine:
    """Measure the rates of this machine, with the device and the number of threads that torch uses in this process.

    On a CPU, rates are per CPU second of one thread, so that other programs on this machine have little influence.
    """
    return Machine(
        **_arithmetic(),
        **_disk(folder),
        fits=_fits(),
        release=_release(),
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

    def clock() -> float:
        if on_cpu:
            return time.process_time() / torch.get_num_threads()
        torch.cuda.synchronize()
        return time.perf_counter()

    def seconds(work: Callable[[], object]) -> float:
        def timed() -> float:
            started = clock()
            work()
            return clock() - started

        timed()  # the first call is slower, because it chooses algorithms
        return min(timed() for _ in range(2))

    def inverse(matrix: torch.Tensor) -> torch.Tensor:
        return torch.cholesky_inverse(torch.linalg.cholesky(matrix))

    n, rates = 2048 if on_cpu else 12288, {}
    for name, dtype in (("float64", torch.float64), ("float32", torch.float32)):
        x = torch.randn(n, n, dtype=dtype, device=device)
        rates[f"gemm_{name}"] = 2 * n**3 / seconds(partial(torch.matmul, x, x))
        x = x @ x.T
        x.diagonal().add_(n)
        rates[f"inverse_{name}"] = n**3 / seconds(partial(inverse, x))
    x = torch.rand(n, 512, dtype=torch.float64, device=device)
    rates["elementwise"] = 2 * x.numel() / seconds(lambda: x.div_(1.0001).square_())

    batch, flops = 4 if on_cpu else 256, 3.63e9
    network = timm.create_model("resnet18").eval().to(device)
    images = torch.zeros(batch, 3, 224, 224, device=device)
    with torch.inference_mode():
        rates["forward"] = batch * flops / seconds(lambda: network(images))
        n_in, n_images = 100_000, 32
        projection = RandomProjection("sparse", n_in, 4096, 0)
        activations = torch.rand(n_images, n_in, device=device)
        rates["projection"] = n_images * 4096 * n_in**0.5 / seconds(lambda: projection(activations))

    file = io.BytesIO()
    smooth = np.random.default_rng(0).integers(0, 255, (IMAGE_SIZE // 8, IMAGE_SIZE // 8, 3), dtype=np.uint8)
    Image.fromarray(smooth).resize((IMAGE_SIZE, IMAGE_SIZE)).save(file, "JPEG")
    transform = transforms.Compose([transforms.Resize(224), transforms.CenterCrop(224), transforms.ToTensor()])
    rates["images"] = 8 / seconds(lambda: [transform(Image.open(file).convert("RGB")) for _ in range(8)])
    return rates


def _fits() -> float:
    from cortexscale.kernels.power_law import fit_power_law, resample_counts

    x, resamples = np.logspace(0, 4, 100), 200
    score = 0.8 - 0.5 * (x + 10) ** -0.4 + np.random.default_rng(0).normal(0, 0.01, len(x))
    counts = resample_counts(len(x), resamples, 0)
    started = time.process_time()
    fit_power_law(x, score, form="offset", counts=counts)
    return len(x) * resamples / (time.process_time() - started)


def _release() -> float:
    """Measure the rate of decompression by gzip, which is slower than reading from any disk."""
    betas = np.random.default_rng(0).normal(0, 300, 4 * MB).astype(np.int16).tobytes()
    packed = zlib.compress(betas, 1)
    started = time.process_time()
    zlib.decompress(packed)
    return len(packed) / (time.process_time() - started)


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
            # Systems without posix_fadvise, such as macOS, read the file from memory.
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            started = time.perf_counter()
            while handle.read(len(block)):
                pass
            rates["disk_read"] = _DISK_TEST / (time.perf_counter() - started)
    finally:
        file.unlink(missing_ok=True)
    return rates


def _start(*modules: str) -> float:
    """Measure the CPU seconds of a new Python process that imports some modules.

    A job with small data takes only a little longer than this.
    """
    before = os.times()
    subprocess.run([sys.executable, "-c", f"import {', '.join(modules)}"], check=True)
    after = os.times()
    return max(after.children_user + after.children_system - before.children_user - before.children_system, 0.01)
