"""Compare our nested cross-validated ridge of one subject's ROIs with scikit-learn, himalaya and a plain torch loop.

    python benchmarks/ridge.py [--size small]

Ours, scikit-learn and the plain loop compute the same: 5 outer folds and a final fit, 10 alphas, one alpha per ROI by
leave-one-out, and held-out and test Pearson r of every unit. himalaya has no leave-one-out for many units. It is used in its
fastest way, with one kernel for all ROIs in torch, and chooses an alpha per unit by 5 inner folds. Times are CPU seconds of the
process with one thread and features in memory. They include Gram matrices and are the best of alternating repetitions;
scikit-learn runs once, because it takes minutes. If a result is wrong, no time is printed.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from himalaya.backend import set_backend
from himalaya.kernel_ridge import KernelRidgeCV
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from cortexscale.kernels.correlation import pearson
from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import gram
from cortexscale.kernels.nested_ridge import nested_ridge
from cortexscale.kernels.responses import Responses
from cortexscale.kernels.ridge_problem import NestedRidge

SIZES = {  # training stimuli, features, units per ROI
    "full": (1500, 30_000, (100, 500, 1500)),
    "small": (400, 4_000, (20, 60, 200)),
}
N_TEST, N_FOLDS, SLAB, REPETITIONS, COPIES = 100, 5, 4096, 2, 8
ALPHAS = np.logspace(1, 7, 10)
LARGEST_ERROR = {torch.float64: 1e-9, torch.float32: 1e-3}  # of predictions, in standard deviations of the unit's


def problem(n: int, p: int, units: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return features with a decaying spectrum and an offset, as in a layer, and noisy units that depend on them."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((n + N_TEST, 300)) / np.sqrt(np.arange(1, 301))
    X = latent @ rng.standard_normal((300, p)) + rng.standard_normal((n + N_TEST, p)) + 0.5
    scale = rng.uniform(0.5, 4, sum(units))
    Y = latent @ rng.standard_normal((300, sum(units))) + scale * rng.standard_normal((n + N_TEST, sum(units)))
    return X.astype(np.float16).astype(np.float32), Y.astype(np.float32)


def ours(X: torch.Tensor, Y: np.ndarray, n: int, members: np.ndarray, search: str, **options) -> NestedRidge:
    K = gram((X[:, first : first + SLAB] for first in range(0, X.shape[1], SLAB)), dtype=X.dtype).K
    responses = Responses(Y[:n], members, Y[n:])
    return nested_ridge(K[:n, :n], responses, ALPHAS, k_folds(n, N_FOLDS), cross=K[n:, :n], search=search, **options)


def correlations(fit: NestedRidge) -> np.ndarray:
    """Return Pearson r, (k + 1, pairs of ROI and unit). The last row is for the test stimuli."""
    return np.concatenate([fit.heldout_r, fit.test_r[None]])


def each_fit(fit: Callable, X, Y, n: int, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loop over ROIs, folds and the final fit, as a user would. ``fit(X, Y)`` returns alpha and a predict function."""
    alphas, predictions = np.empty((N_FOLDS + 1, len(members))), np.empty(Y.shape)
    tests = [*k_folds(n, N_FOLDS), np.arange(n, len(X))]
    for roi, units in enumerate(members):
        for f, test in enumerate(tests):
            train = np.setdiff1d(np.arange(n), test)
            alphas[f, roi], predict_ = fit(X[train], Y[train][:, units])
            predictions[np.ix_(test, units)] = predict_(X[test])
    return alphas, predictions


def scikit_learn(X: np.ndarray, Y: np.ndarray) -> tuple[float, Callable]:
    model = RidgeCV(ALPHAS).fit(X, Y)
    return model.alpha_, model.predict


def plain_torch(X: torch.Tensor, Y: torch.Tensor) -> tuple[float, Callable]:
    """Fit ridge in a simple way: one eigendecomposition, leave-one-out in closed form, and coefficients."""
    X_mean, Y_mean = X.mean(0), Y.mean(0)
    Xc, Yc = X - X_mean, Y - Y_mean
    values, Q = torch.linalg.eigh(Xc @ Xc.T)
    QY, Q2 = Q.T @ Yc, Q**2
    best = (float("inf"),)
    for alpha in ALPHAS.tolist():
        w = 1 / (values.clamp_min(0) + alpha)
        C = Q @ (w[:, None] * QY)
        error = (C / (Q2 @ w - 1 / (len(X) * alpha))[:, None]).square().mean().item()
        if error < best[0]:
            best = error, alpha, C
    weights = Xc.T @ best[2]
    return best[1], lambda X_new: (X_new - X_mean) @ weights + Y_mean


def himalaya(X: torch.Tensor, Y: torch.Tensor, n: int) -> np.ndarray:
    """Return Pearson r, (k + 1, units). The units of all ROIs are fitted together on one precomputed kernel."""
    K = X @ X.T
    r = []
    for test in [*k_folds(n, N_FOLDS), np.arange(n, len(X))]:
        train = np.setdiff1d(np.arange(n), test)
        model = KernelRidgeCV(ALPHAS, kernel="precomputed", cv=5, fit_intercept=True)
        model.fit(K[np.ix_(train, train)], Y[train])
        r.append(pearson(model.predict(K[np.ix_(test, train)]), Y[test]).numpy())
    return np.array(r)


def cpu_seconds(work: Callable):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def gemm_rate(dtype: torch.dtype) -> float:
    """Return the operations per second of a large product of square matrices."""
    A = torch.randn(2000, 2000, dtype=dtype)
    return 2 * 2000**3 / min(cpu_seconds(lambda: A @ A)[0] for _ in range(5))


def largest_error(ours_: np.ndarray, theirs: np.ndarray) -> float:
    return (np.abs(ours_ - theirs) / theirs.std(axis=0)).max()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    n, p, units = SIZES[parser.parse_args().size]
    torch.set_num_threads(1)
    set_backend("torch")

    X, Y = problem(n, p, units)
    members = np.repeat(np.eye(len(units), dtype=bool), units, axis=1)
    tensors = {dtype: (torch.from_numpy(X).to(dtype), torch.from_numpy(Y).to(dtype)) for dtype in LARGEST_ERROR}
    seconds: dict[str, float] = {}

    def repeat(name: str, work: Callable):
        spent, result = cpu_seconds(work)
        seconds[name] = min(spent, seconds.get(name, np.inf))
        return result

    theirs_alphas, reference = repeat(
        "scikit-learn float64", lambda: each_fit(scikit_learn, *map(np.float64, (X, Y)), n, members)
    )
    reference_alphas = theirs_alphas[:, members.argmax(axis=0)]
    observed = torch.from_numpy(Y).double()
    tests = [*k_folds(n, N_FOLDS), np.arange(n, n + N_TEST)]
    reference_r = np.array([pearson(torch.from_numpy(reference[test]), observed[test]).numpy() for test in tests])

    print(f"n = {n}, p = {p}, ROIs of {units} units, {len(ALPHAS)} alphas, {N_FOLDS} folds + refit, one thread\n")
    single = tensors[torch.float32]
    for _ in range(REPETITIONS):
        for dtype, (X_, _) in tensors.items():
            for search in ("adaptive", "full"):
                name = f"ours {search} {str(dtype).removeprefix('torch.')}"
                fit = repeat(name, lambda X_=X_, search=search: ours(X_, Y, n, members, search))
                predicted = ours(X_, Y, n, members, search, predictions=True)
                error = largest_error(np.concatenate([predicted.heldout, predicted.test]), reference)
                equal = (ALPHAS[fit.chosen] == reference_alphas).mean()
                r_error = np.abs(correlations(fit) - reference_r).max()
                print(f"{name}: {equal:.0%} of alphas equal, predictions within {error:.1e} sd, r within {r_error:.1e}")
                if equal < 1 or max(error, r_error) > LARGEST_ERROR[dtype]:
                    raise SystemExit(f"{name} misses its accuracy; a time would mean nothing")
        copies = repeat(
            f"ours, {COPIES} times the ROIs float32", lambda: ours(single[0], Y, n, np.tile(members, (COPIES, 1)), "adaptive")
        )
        once = np.tile(correlations(ours(single[0], Y, n, members, "adaptive")), (1, COPIES))
        if not np.array_equal(correlations(copies), once):
            raise SystemExit(f"copies of an ROI score differently, by {np.abs(correlations(copies) - once).max():.1e}")
        alphas, predictions = repeat("plain torch float32", lambda: each_fit(plain_torch, *single, n, members))
        himalaya_r = repeat("himalaya float32", lambda: himalaya(*single, n))
    equal = (alphas == theirs_alphas).mean()
    print(f"plain torch float32: {equal:.0%} of alphas equal, predictions within {largest_error(predictions, reference):.1e} sd")
    print(f"himalaya: mean r {himalaya_r.mean():.4f}, ours {reference_r.mean():.4f}\n")

    operations = n**2 * p + 11.7 * n**3 + 4 * len(ALPHAS) * n**2 * sum(units)  # of the full grid
    print(f"{'':34}{'CPU s':>8}{'x ours float64':>16}{'x ours float32':>16}{'of gemm rate':>14}")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        rate = f"{operations / spent / gemm_rate(getattr(torch, name.split()[-1])):.2f}" if name.startswith("ours full") else ""
        ratios = "".join(f"{spent / seconds[f'ours adaptive {precision}']:16.2f}" for precision in ("float64", "float32"))
        print(f"{name:34}{spent:8.2f}{ratios}{rate:>14}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
