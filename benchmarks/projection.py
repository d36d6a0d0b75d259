"""Compare random projections with scikit-learn's, and exact kernels with a dense projection.

    python benchmarks/projection.py [--size small]

P2 projects flattened activations to the paper's width with ``countsketch`` and ``sparse``. scikit-learn's
``SparseRandomProjection`` has the same distribution as ``sparse``. Distances after a projection must be as exact as with a
Gaussian matrix, sd sqrt(2 / p). P3 compares the Gram matrix of the activations with a dense Gaussian projection and its Gram
matrix; the time to draw the dense matrix is not counted. The last part measures the store, projected and exact: from batches of
activations to the file that alignment reads, and from this file to the Gram matrix. Times are CPU seconds of one thread, the
best of alternating repetitions.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.random_projection import SparseRandomProjection
from threadpoolctl import threadpool_limits

from cortexscale.features.kernel_store import KernelWriter, open_store
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.gram import gram
from cortexscale.kernels.projection import RandomProjection

SIZES = {  # (images, activations, features) of P2, and of P3 and the stores
    "full": ((200, 100_000, 30_000), (1000, 40_000, 30_000)),
    "small": ((100, 20_000, 5_000), (300, 8_000, 5_000)),
}
BATCH, CHUNK, REPETITIONS = 200, 1024, 3
MOST_DISTORTION = 1.05  # times that of a Gaussian matrix


def activations(n: int, d: int) -> torch.Tensor:
    """Return rectified activations that are correlated between images. Half of them are zero."""
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(n, 50, generator=generator)
    return torch.relu(latent @ torch.randn(50, d, generator=generator) / 7 + torch.randn(n, d, generator=generator))


def cpu_seconds(work: Callable):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def distortion(projected: torch.Tensor, x: torch.Tensor) -> float:
    """Return the standard deviation of the relative error of squared distances."""
    return (torch.pdist(projected.double()).square() / torch.pdist(x.double()).square()).std().item()


def sketches(n: int, d: int, p: int) -> None:
    x = activations(n, d)
    ours = {family: RandomProjection(family, d, p, 0) for family in ("countsketch", "sparse")}
    theirs = SparseRandomProjection(p, random_state=0)
    set_up = {name: cpu_seconds(lambda m=m: m(x[:1]))[0] for name, m in ours.items()}
    set_up["scikit-learn sparse"] = cpu_seconds(lambda: theirs.fit(x[:1].numpy()))[0]
    methods = {**ours, "scikit-learn sparse": lambda batch: torch.from_numpy(theirs.transform(batch.numpy()))}
    seconds = dict.fromkeys(methods, np.inf)
    errors = {}
    for _ in range(REPETITIONS):
        for name, method in methods.items():
            spent, projected = cpu_seconds(lambda method=method: torch.cat([method(batch) for batch in x.split(BATCH)]))
            seconds[name], errors[name] = min(spent, seconds[name]), distortion(projected, x)
    gaussian = (2 / p) ** 0.5
    print(f"P2: {n} images, {d} activations to {p} features; sd of distance errors under a Gaussian matrix {gaussian:.4f}\n")
    print(f"{'':22}{'set-up s':>10}{'images/s':>10}{'ratio':>8}{'sd of distance errors':>24}")
    for name, spent in seconds.items():
        if name == "countsketch" and errors[name] > MOST_DISTORTION * gaussian:
            raise SystemExit(f"{name}: sd of distance errors {errors[name]:.4f}; a rate would mean nothing")
        ratio = seconds["scikit-learn sparse"] / spent
        print(f"{name:22}{set_up[name]:10.2f}{n / spent:10.0f}{ratio:8.1f}{errors[name]:24.4f}")


def dense(x: torch.Tensor, p: int) -> tuple[float, torch.Tensor]:
    """Return the seconds of the products, and the Gram matrix."""
    projected, seconds = torch.zeros(len(x), p), 0.0
    generator = torch.Generator().manual_seed(0)
    for first in range(0, x.shape[1], CHUNK):
        part = x[:, first : first + CHUNK]
        entries = torch.randn(part.shape[1], p, generator=generator) / p**0.5
        seconds += cpu_seconds(lambda part=part, entries=entries: projected.addmm_(part, entries))[0]
    spent, K = cpu_seconds(lambda: gram(projected.split(4096, dim=1)).K)
    return seconds + spent, K


def exact(n: int, d: int, p: int) -> None:
    x = activations(n, d)
    centred = x.double() - x.double().mean(dim=0)
    reference = centred @ centred.T
    scale = reference.diagonal().mean()
    seconds, K = min((cpu_seconds(lambda: gram(x.split(4096, dim=1)).K) for _ in range(REPETITIONS)), key=lambda pair: pair[0])
    error = ((K - reference).abs().max() / scale).item()
    if error > 5e-6:
        raise SystemExit(f"the exact Gram matrix is off by {error:.1e} of its mean diagonal; a time would mean nothing")
    dense_seconds, dense_K = dense(x, p)
    dense_error = ((dense_K - reference).abs().max() / scale).item()
    print(f"\nP3: Gram matrix of {n} images, {d} activations, dense projection to {p} features; error of the mean diagonal\n")
    print(f"{'':28}{'CPU s':>8}{'ratio':>8}{'error':>10}")
    print(f"{'exact Gram':28}{seconds:8.2f}{1:8.1f}{error:10.1e}")
    print(f"{'dense projection + Gram':28}{dense_seconds:8.2f}{dense_seconds / seconds:8.1f}{dense_error:10.1e}")


LAYER = {"layers": {"layer": {"position": 1, "depth": 1.0}}}


def store_projected(path: Path, x: torch.Tensor, projection: RandomProjection) -> None:
    writer = StoreWriter(path, {"model": "m"}, len(x))
    for batch in x.split(BATCH):
        writer.write({"layer": projection(batch).numpy()})
    writer.finish(LAYER)


def store_exact(path: Path, x: torch.Tensor) -> None:
    scratch = path.with_suffix(".rows")
    rows = StoreWriter(scratch, {"model": "m"}, len(x))
    for batch in x.split(BATCH):
        rows.write({"layer": batch.numpy()})
    rows.finish(LAYER)
    writer = KernelWriter(path, {"model": "m"}, [np.arange(len(x))])
    writer.add("layer", FeatureStore(scratch).features("layer"))
    writer.finish(LAYER)


def stores(n: int, d: int, p: int) -> None:
    x = activations(n, d)
    ways = {
        family: lambda path, family=family: store_projected(path, x, RandomProjection(family, d, p, 0))
        for family in ("sparse", "countsketch")
    }
    ways["exact"] = lambda path: store_exact(path, x)
    half = x.half().double()
    reference = (half - half.mean(dim=0)) @ (half - half.mean(dim=0)).T
    scale = reference.diagonal().mean()
    print(f"\nStore: {n} images, {d} activations, projected to {p} features or exact; error of the mean diagonal\n")
    print(f"{'':22}{'write CPU s':>12}{'read CPU s':>12}{'MB stored':>11}{'error':>10}")
    for name, way in ways.items():
        seconds = [np.inf, np.inf]
        for _ in range(REPETITIONS):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "m.zarr.zip"
                written, _ = cpu_seconds(lambda way=way, path=path: way(path))
                read, K = cpu_seconds(lambda path=path: read_kernel(path, n))
                seconds, size = [min(pair) for pair in zip(seconds, (written, read), strict=True)], path.stat().st_size / 1e6
        error = ((K - reference).abs().max() / scale).item()
        if name == "exact" and error > 1e-6:
            raise SystemExit(f"the exact Gram matrix is off by {error:.1e} of its mean diagonal; a time would mean nothing")
        print(f"{name:22}{seconds[0]:12.2f}{seconds[1]:12.2f}{size:11.1f}{error:10.1e}")


def read_kernel(path: Path, n: int) -> torch.Tensor:
    return next(open_store(path).kernels("layer", [np.arange(n)], torch.float64, torch.device("cpu"))).K


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    sizes = SIZES[parser.parse_args().size]
    torch.set_num_threads(1)
    sketches(*sizes[0])
    exact(*sizes[1])
    stores(*sizes[1])


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
