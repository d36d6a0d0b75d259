"""The search for the best law: the full sample from a grid of starts, its resamples from what that found."""

import numpy as np

from cortexscale.kernels.power_law_forms import Offset, Powers
from cortexscale.kernels.robust_curve import huber, minimise_huber

BLOCK = 2**21
"""Numbers per work array: resamples are fitted in blocks of this size, which keeps them in cache and memory small."""


def fit_full_sample(law: Offset | Powers, target: np.ndarray, delta: float) -> tuple[np.ndarray, float]:
    """The best optimum from a grid of starts, to the last digits, and its loss."""
    starts = law.starts(target)
    solutions, losses = solve(law, target, np.ones((len(starts), len(target))), starts, [*coarse(delta), (delta, 60)], 1e-6)
    solutions = solutions[np.argsort(losses)[:5]]
    solutions, losses = solve(law, target, np.ones((len(solutions), len(target))), solutions, [(delta, 3000)], 1e-13)
    return solutions[losses.argmin()], float(losses.min())


def fit_resamples(
    law: Offset | Powers, target: np.ndarray, counts: np.ndarray, best: np.ndarray, delta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Optima (resamples, p) and losses of the resamples.

    A resample starts from the optimum of the full sample and, in the offset form, from the exponential end of its ridge.
    Every start is explored, the best continued; then the solutions of the other resamples compete as starts.
    """
    everyone = np.arange(len(counts))
    solutions, losses = np.tile(best, (len(counts), 1)), np.full(len(counts), np.inf)

    def compete(rows: np.ndarray, start: np.ndarray, stages: list[tuple[float, int]], tolerance: float) -> None:
        found, found_losses = solve(law, target, counts[rows], start, stages, tolerance)
        won = found_losses < losses[rows]
        solutions[rows[won]], losses[rows[won]] = found[won], found_losses[won]

    for start in (best, *law.far_starts(target)):
        compete(everyone, np.tile(start, (len(counts), 1)), [*coarse(delta), (delta, 40)], 1e-4)
    compete(everyone, solutions, [(delta, 1000)], 1e-10)
    rivals = counts @ huber(law.curve(solutions)[0] - target, delta).T
    behind = np.flatnonzero(rivals.min(axis=1, initial=np.inf) < losses * (1 - 1e-8))
    if len(behind):
        compete(behind, solutions[rivals[behind].argmin(axis=1)], [(delta, 1000)], 1e-10)
    return solutions, losses


def coarse(delta: float) -> list[tuple[float, int]]:
    """Stages from delta = 0.1 down to just above ``delta``."""
    return [(level, 20) for level in 10.0 ** -np.arange(1, 12) if level > 1.5 * delta]


def solve(
    law: Offset | Powers,
    target: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    stages: list[tuple[float, int]],
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """:func:`minimise_huber` in blocks of problems."""
    size = max(1, BLOCK // start.shape[1] // len(target))
    solutions, losses = np.empty_like(start), np.empty(len(start))
    for first in range(0, len(start), size):
        block = slice(first, first + size)
        solutions[block], losses[block] = minimise_huber(
            law.curve, target, weights[block], start[block], law.bounds, stages, tolerance
        )
    return solutions, losses
