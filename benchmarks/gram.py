"""Compare the Gram matrix of a layer, streamed from our feature store, with the rate of one large matrix product.

    python benchmarks/gram.py [--size small]

The column "of gemm rate" counts n^2 p operations, which the symmetric half needs. A product that ignores the symmetry reaches
at most 0.5. Times are CPU seconds of one thread, the best of three runs. Memory is the growth of the peak while K is computed
in a separate process. If a result is wrong, no time is printed.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.gram import centred, gram

SIZES = {"full": (3000, 30_000), "small": (600, 6_000)}
BLOCK, SLAB, REPETITIONS = 256, 4096, 3
LARGEST_ERROR = 5e-6  # of the mean diagonal of the centred Gram matrix


def write(path: Path, n: int, p: int) -> None:
    """Write rectified features with a decaying spectrum, which are similar to those of a layer."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((300, p), dtype=np.float32)
    writer = StoreWriter(path, {"model": "benchmark"}, n)
    for first in range(0, n, BLOCK):
        rows = min(BLOCK, n - first)
        latent = (rng.standard_normal((rows, 300)) / np.sqrt(np.arange(1, 301))).astype(np.float32)
        features = latent @ directions + rng.standard_normal((rows, p), dtype=np.float32) + 0.5
        writer.write({"layer": np.maximum(features, 0)})
    writer.finish({"layers": {"layer": {"position": 1, "depth": 1.0}}})


def streamed(path: Path, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return gram(FeatureStore(path).slabs("layer", columns=SLAB), dtype=dtype).K


def plain(X: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(X).float()
    x -= x.mean(dim=0)
    return x @ x.T


def tensor_core_errors(X: np.ndarray, n: int = 600) -> dict[str, float]:
    """Return the errors of products on tensor cores, which round factors to the 11 bits of TF32 and float16 and add in float32.

    Three products, of the rounded features and of the rounding errors, lose nothing.
    """
    x = torch.from_numpy(X[:n]).float()
    x -= x.mean(dim=0)
    high = x.half().float()
    low = ((x - high) * 2**11).half().float()
    exact = x.double() @ x.double().T
    one = high @ high.T
    kernels = {"one product": one, "three products": one + (high @ low.T + low @ high.T) / 2**11}
    return {name: ((K - exact).abs().max() / exact.diagonal().mean()).item() for name, K in kernels.items()}


def memory_mb(which: str) -> float:
    """Return the memory of this process in MB: ``VmRSS`` is the present memory, and ``VmHWM`` the peak."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split(f"{which}:")[1].split()[0]) / 1024


def peak_growth_mb(path: Path) -> float:
    """Return the growth of this process's peak memory, above the memory of the libraries and of a first, small product."""
    torch.set_num_threads(1)
    gram([np.ones((300, 4), np.float16)])
    before = memory_mb("VmRSS")
    streamed(path)
    return memory_mb("VmHWM") - before


def cpu_seconds(work) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def gemm_rate() -> float:
    A = torch.randn(2000, 2000)
    return 2 * 2000**3 / min(cpu_seconds(lambda: A @ A)[0] for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    n, p = SIZES[parser.parse_args().size]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.zarr.zip"
        write(path, n, p)
        X = np.concatenate(list(FeatureStore(path).slabs("layer")), axis=1)
        reference = centred(streamed(path, torch.float64))
        diagonal = reference.diagonal().mean()
        seconds: dict[str, list[float]] = {}
        rates = []
        for _ in range(REPETITIONS):
            rates.append(gemm_rate())
            for name, work in {
                "ours, streamed from the store": lambda: streamed(path),
                "ours, features in memory": lambda: gram([X]).K,
                "torch, X @ X.T in memory": lambda: plain(X),
                "reading the store alone": lambda: sum(slab.shape[1] for slab in FeatureStore(path).slabs("layer", columns=SLAB)),
            }.items():
                spent, K = cpu_seconds(work)
                seconds.setdefault(name, []).append(spent)
                if name.startswith("ours"):
                    error = ((centred(K.double()) - reference).abs().max() / diagonal).item()
                    if error > LARGEST_ERROR:
                        raise SystemExit(f"{name} is off by {error:.1e} of the mean diagonal; a time would mean nothing")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak = pool.apply(peak_growth_mb, (path,))
    print(f"n = {n}, p = {p}, float16 features, float32 products, one thread; gemm {max(rates) / 1e9:.0f} GFLOP/s")
    print(f"largest error {error:.1e} of the mean diagonal")
    for name, lost in tensor_core_errors(X).items():
        print(f"on tensor cores, {name} of halves: {lost:.1e} (at most {LARGEST_ERROR:.0e} is borne)")
    slab, kernel, whole = n * min(SLAB, p) * 4 / 2**20, n**2 * 4 / 2**20, n * p * 4 / 2**20
    print(f"peak memory {peak:.0f} MB: K {kernel:.0f} MB + {(peak - kernel) / slab:.1f} slabs in float32 of {slab:.0f} MB")
    print(f"(all features in float32: {whole:.0f} MB)\n")
    print(f"{'':34}{'CPU s':>8}{'of gemm rate':>14}")
    for name, spent in seconds.items():
        rate = "" if name.startswith("reading") else f"{n**2 * p / min(spent) / max(rates):.2f}"
        print(f"{name:34}{min(spent):8.2f}{rate:>14}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
