"""Search for the best law. The full sample is fitted from a grid of starting points, and resamples start from its solution."""

import numpy as np

from cortexscale.kernels.power_law_forms import Offset, Powers
from cortexscale.kernels.robust_curve import huber, minimise_huber

BLOCK = 2**21
"""Number of values in a work array. Blocks of resamples of this size save memory and stay in the cache."""


def fit_full_sample(law: Offset | Powers, log_misalignment: np.ndarray, delta: float) -> tuple[np.ndarray, float]:
    """Find the best optimum from a grid of starting points, to full precision. Return its parameters (p,) and its loss."""
    starts, n = law.starts(log_misalignment), len(log_misalignment)
    stages = [*coarse_stages(delta), (delta, 60)]
    solutions, losses = solve(law, log_misalignment, np.ones((len(starts), n)), starts, stages, 1e-6)
    solutions = solutions[np.argsort(losses)[:5]]
    solutions, losses = solve(law, log_misalignment, np.ones((len(solutions), n)), solutions, [(delta, 3000)], 1e-13)
    return solutions[losses.argmin()], float(losses.min())


def fit_resamples(
    law: Offset | Powers, log_misalignment: np.ndarray, counts: np.ndarray, best: np.ndarray, delta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Find the optima of all resamples. Return their parameters (resamples, p) and losses (resamples,).

    A resample starts from ``best``, the optimum of the full sample. In the offset form it also starts from curves close to an
    exponential. The most successful start is continued until it converges. Then the solutions of other resamples are tried.
    """
    everyone = np.arange(len(counts))
    solutions, losses = np.tile(best, (len(counts), 1)), np.full(len(counts), np.inf)

    def improve(rows: np.ndarray, start: np.ndarray, stages: list[tuple[float, int]], tolerance: float) -> None:
        found, found_losses = solve(law, log_misalignment, counts[rows], start, stages, tolerance)
        better = found_losses < losses[rows]
        solutions[rows[better]], losses[rows[better]] = found[better], found_losses[better]

    for start in (best, *law.far_starts(log_misalignment)):
        improve(everyone, np.tile(start, (len(counts), 1)), [*coarse_stages(delta), (delta, 40)], 1e-4)
    improve(everyone, solutions, [(delta, 1000)], 1e-10)
    rivals = counts @ huber(law.curve(solutions)[0] - log_misalignment, delta).T
    behind = np.flatnonzero(rivals.min(axis=1, initial=np.inf) < losses * (1 - 1e-8))
    if len(behind):
        improve(behind, solutions[rivals[behind].argmin(axis=1)], [(delta, 1000)], 1e-10)
    return solutions, losses


def coarse_stages(delta: float) -> list[tuple[float, int]]:
    """Return stages (level, number of steps) of :func:`minimise_huber`. Levels fall from 0.1 to just above ``delta``."""
    return [(level, 20) for level in 10.0 ** -np.arange(1, 12) if level > 1.5 * delta]


def solve(
    law: Offset | Powers,
    log_misalignment: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    stages: list[tuple[float, int]],
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Run :func:`minimise_huber` in blocks of problems, with the curve and the bounds of ``law``."""
    size = max(1, BLOCK // start.shape[1] // len(log_misalignment))
    solutions, losses = np.empty_like(start), np.empty(len(start))
    for first in range(0, len(start), size):
        block = slice(first, first + size)
        solutions[block], losses[block] = minimise_huber(
            law.curve, log_misalignment, weights[block], start[block], law.bounds, stages, tolerance
        )
    return solutions, losses
