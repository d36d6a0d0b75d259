"""Compare our RSA and unbiased CKA of one layer and many ROIs with a plain torch implementation and with rsatoolbox (RSA only).

    python benchmarks/similarity.py [--size small|large]

Ours prepares the ROIs once per study and the layer once for all ROIs. The others start from features and responses for every
pair of layer and ROI, so they are timed on one ROI, and times per pair are compared. Times are CPU seconds of the process with
one thread and data in memory, the best of two alternating repetitions. rsatoolbox runs once, because it takes a minute. If a
result is wrong, no time is printed: RSA and CKA of every ROI must be within 1e-6 of float64.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial.distance import squareform
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from cortexscale.kernels.gram import gram
from cortexscale.kernels.similarity import Geometry, cka, feature_geometry, response_geometry, rsa

SIZES = {"full": (3000, 10_000, 12), "large": (5000, 10_000, 6), "small": (600, 2000, 4)}  # stimuli, features, ROIs
UNITS, SLAB, REPETITIONS, LARGEST_ERROR = 500, 4096, 2, 1e-6


def problem(n: int, p: int, rois: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return features with an offset, and noisy ROIs that depend on some of their dimensions."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    latent = normal(n, 50)
    X = latent @ normal(50, p) + 2 * normal(n, p) + 0.5
    return X, [latent @ normal(50, UNITS) + (5 + roi) * normal(n, UNITS) for roi in range(rois)]


def in_float64(side: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the normalised rank vector of the distances and the normalised U-centred Gram matrix, exactly as defined."""
    X, n = side.double().numpy(), len(side)
    distance = 1 - np.corrcoef(X)
    ranks = rankdata(squareform((distance + distance.T) / 2, checks=False))
    ranks -= ranks.mean()
    X = X - X.mean(axis=0)
    K = X @ X.T
    np.fill_diagonal(K, 0)
    sums = K.sum(axis=0)
    K += sums.sum() / ((n - 1) * (n - 2)) - (sums[:, None] + sums) / (n - 2)
    np.fill_diagonal(K, 0)
    return ranks / np.linalg.norm(ranks), K / np.linalg.norm(K)


def plain_torch(X: torch.Tensor, Y: torch.Tensor) -> tuple[float, float]:
    """Return RSA and CKA, computed in a simple way in float32."""

    def centred_ranks(side: torch.Tensor) -> torch.Tensor:
        z = side - side.mean(dim=1, keepdim=True)
        z = z / z.norm(dim=1, keepdim=True)
        i, j = torch.triu_indices(len(z), len(z), 1)
        _, group, counts = torch.unique((1 - z @ z.T)[i, j], return_inverse=True, return_counts=True)
        ranks = (counts.cumsum(0) - (counts - 1) / 2)[group]  # equal values share their mean rank
        return ranks - ranks.mean()

    def hsic(K: torch.Tensor, L: torch.Tensor) -> torch.Tensor:
        n = len(K)
        cross = 2 * K.sum(dim=0) @ L.sum(dim=0) / (n - 2)
        return ((K * L).sum() + K.sum() * L.sum() / ((n - 1) * (n - 2)) - cross) / (n * (n - 3))

    def hollow_gram(side: torch.Tensor) -> torch.Tensor:
        side = side - side.mean(dim=0)
        return (side @ side.T).fill_diagonal_(0)

    a, b = centred_ranks(X), centred_ranks(Y)
    K, L = hollow_gram(X), hollow_gram(Y)
    return (a @ b / (a.norm() * b.norm())).item(), (hsic(K, L) / (hsic(K, K) * hsic(L, L)).sqrt()).item()


def rsatoolbox(X: torch.Tensor, Y: torch.Tensor) -> float:
    """RSA as its documentation shows it."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare

    matrices = [calc_rdm(Dataset(side.double().numpy()), method="correlation") for side in (X, Y)]
    return compare(*matrices, method="spearman")[0, 0]


def compare(layer: Geometry, rois: list[Geometry]) -> np.ndarray:
    """(ROIs, 2)"""
    return np.array([(rsa(layer, roi), cka(layer, roi)) for roi in rois])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    n, p, n_rois = SIZES[parser.parse_args().size]
    torch.set_num_threads(1)
    X, Ys = problem(n, p, n_rois)

    ranks, U = in_float64(X)
    reference = np.array([(ranks @ other[0], (U * other[1]).sum()) for other in map(in_float64, Ys)])
    del ranks, U

    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable):
        start = time.process_time()
        result = work()
        seconds[name] = min(time.process_time() - start, seconds.get(name, np.inf))
        return result

    print(f"n = {n}, p = {p}, {n_rois} ROIs of {UNITS} units, one thread\n")
    for _ in range(REPETITIONS):
        rois = timed("ours, all ROIs, once per study", lambda: [response_geometry(Y) for Y in Ys])
        kernel = timed("ours, Gram matrix (ridge has it)", lambda: gram(X[:, i : i + SLAB] for i in range(0, p, SLAB)))
        found = timed("ours, layer and all ROIs", lambda kernel=kernel, rois=rois: compare(feature_geometry(kernel), rois))
        plain = timed("plain torch, one ROI", lambda: plain_torch(X, Ys[0]))
    errors = np.abs(found - reference).max(axis=0)
    print("ours: RSA within {:.0e}, CKA within {:.0e} of float64".format(*errors))
    print("plain torch: RSA within {:.0e}, CKA within {:.0e}".format(*np.abs(plain - reference[0])))
    if not errors.max() < LARGEST_ERROR:
        raise SystemExit("misses its accuracy; a time would mean nothing")
    if importlib.util.find_spec("rsatoolbox"):
        theirs = timed("rsatoolbox, RSA only, one ROI", lambda: rsatoolbox(X, Ys[0]))
        print(f"rsatoolbox: RSA within {abs(theirs - reference[0, 0]):.0e}")
    else:
        print("rsatoolbox is not installed: left out")

    pair = seconds["ours, layer and all ROIs"] / n_rois
    pair_with_gram = pair + seconds["ours, Gram matrix (ridge has it)"] / n_rois
    print(f"\n{'':34}{'CPU s':>8}{'x ours per pair':>17}{'... and Gram':>14}")
    for name, spent in seconds.items():
        ratios = f"{spent / pair:17.0f}{spent / pair_with_gram:14.0f}" if name.endswith("one ROI") else ""
        print(f"{name:34}{spent:8.3f}{ratios}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
