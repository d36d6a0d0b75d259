"""Robust curve fitting for many problems at once. All problems have the same points, and each has its own weights."""

from collections.abc import Callable

import numpy as np

Curve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A function that returns values (problems, n) and their derivatives (problems, p, n) for parameters (problems, p)."""

PATIENCE = 8
"""Number of steps in a row without progress after which a problem is finished. One failed step only raises the damping."""
LONGEST_STEP = 2.0
"""Largest change of a parameter in one step. The curves are parametrised so that 1 is a large change of any parameter."""


def huber(residual: np.ndarray, delta: float) -> np.ndarray:
    """Compute Huber's loss, which is half the square of a residual up to ``delta`` and linear beyond it."""
    size = np.abs(residual)
    inner = np.minimum(size, delta)
    return inner * (size - 0.5 * inner)


def minimise_huber(
    curve: Curve,
    target: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    stages: list[tuple[float, int]],
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise sum_i weights[b, i] * huber(curve(P[b])[i] - target[i], delta) over the parameters P[b] of every problem b.

    The method is Levenberg-Marquardt on the quadratic that touches Huber's loss from above. In it, a residual r has the weight
    delta / max(|r|, delta). If delta is far below the residuals, the loss is almost a sum of absolute values. Its kinks trap a
    search that starts far from the minimum. Delta is therefore lowered in ``stages``; each stage has a delta and a largest number
    of steps. A step that lowers the loss by less than the fraction ``tolerance`` is not progress.

    Returns:
        The parameters (problems, p) within ``bounds``, and the losses (problems,) at the last delta.
    """
    lower, upper = bounds
    solution, losses = np.clip(start, lower, upper), np.empty(len(start))
    for delta, most_steps in stages:
        active, weight = np.arange(len(start)), weights
        values, slopes = curve(solution)
        residual = values - target
        losses[:] = (weight * huber(residual, delta)).sum(axis=1)
        damping, idle = np.full(len(start), 1e-3), np.zeros(len(start), int)
        for _ in range(most_steps):
            here = solution[active]
            touching = weight * (delta / np.maximum(np.abs(residual), delta))
            step = damped_step(residual, slopes, touching, damping[active], here, bounds)
            trial = np.clip(here + np.clip(step, -LONGEST_STEP, LONGEST_STEP), lower, upper)
            values, trial_slopes = curve(trial)
            trial_residual = values - target
            trial_losses = (weight * huber(trial_residual, delta)).sum(axis=1)
            better = trial_losses < losses[active]
            progress = losses[active] - trial_losses > tolerance * losses[active]
            damping[active] = np.clip(damping[active] * np.where(better, 0.2, 5), 1e-12, 1e8)
            idle[active] = np.where(progress, 0, idle[active] + 1)
            moved = active[better]
            solution[moved], losses[moved] = trial[better], trial_losses[better]
            residual[better], slopes[better] = trial_residual[better], trial_slopes[better]
            going = idle[active] < PATIENCE
            if not going.any():
                break
            if not going.all():
                active, weight, residual, slopes = active[going], weight[going], residual[going], slopes[going]
    return solution, losses


def damped_step(
    residual: np.ndarray,
    slopes: np.ndarray,
    weights: np.ndarray,
    damping: np.ndarray,
    here: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Compute a Levenberg-Marquardt step (problems, p). The damping is relative to the diagonal of the Hessian.

    A parameter at its bound whose step would point outwards is left out of the system. Otherwise the other parameters would
    compensate for a change that cannot happen.
    """
    weighted = slopes * weights[:, None]
    hessian = weighted @ slopes.transpose(0, 2, 1)
    gradient = (weighted @ residual[:, :, None])[..., 0]
    held = ((here <= bounds[0]) & (gradient > 0)) | ((here >= bounds[1]) & (gradient < 0))
    gradient[held] = 0
    hessian *= ~(held[:, :, None] | held[:, None, :])
    diagonal = np.arange(here.shape[1])
    scale = np.maximum(hessian[:, diagonal, diagonal], 1e-12)
    hessian[:, diagonal, diagonal] += damping[:, None] * scale + held
    return -np.linalg.solve(hessian, gradient[..., None])[..., 0]
