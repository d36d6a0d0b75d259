"""Robust curve fitting: many weighted problems with the same points, advanced together."""

from collections.abc import Callable

import numpy as np

Curve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Parameters (problems, p) -> values (problems, n) and their derivatives (problems, p, n)."""

QUIET_STEPS = 4
"""A problem is done after this many steps without progress: one failed step only raises the damping."""


def huber(residual: np.ndarray, delta: float) -> np.ndarray:
    """Huber's loss: half the square up to ``delta``, linear beyond."""
    size = np.abs(residual)
    inner = np.minimum(size, delta)
    return inner * (size - 0.5 * inner)


def minimise_huber(
    curve: Curve,
    target: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    stages: tuple[tuple[float, int], ...],
    tolerance: float = 1e-10,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise sum_i weights[b, i] * huber(curve(P[b])[i] - target[i]) for every problem b.

    Levenberg-Marquardt on the quadratic that touches Huber's loss from above (weight delta / max(|r|, delta)).
    With delta far below the residuals the loss is in effect the sum of absolute values, which is hard to enter from afar:
    ``stages`` lowers delta step by step.

    Args:
        curve: the model, see ``Curve``.
        target: (n,).
        weights: (problems, n), e.g. the counts of a bootstrap resample.
        start: (problems, p).
        bounds: lowest and highest value of each parameter, (p,) each.
        stages: pairs (delta, most steps); the last delta is the one that counts.
        tolerance: a step that lowers the loss by a smaller fraction is no progress.

    Returns:
        Parameters (problems, p) and losses (problems,) at the last delta.
    """
    lower, upper = bounds
    solution = np.clip(start, lower, upper)
    losses = np.empty(len(start))
    unit = np.eye(start.shape[1])
    for delta, most_steps in stages:
        active, weight = np.arange(len(start)), weights
        values, slopes = curve(solution)
        residual = values - target
        losses[:] = (weight * huber(residual, delta)).sum(axis=1)
        damping, quiet = np.full(len(start), 1e-3), np.zeros(len(start), int)
        for _ in range(most_steps):
            weighted = slopes * (weight * (delta / np.maximum(np.abs(residual), delta)))[:, None]
            hessian = weighted @ slopes.transpose(0, 2, 1)
            gradient = (weighted @ residual[:, :, None])[..., 0]
            here = solution[active]
            # A parameter that rests on its bound and is pushed outwards takes no part in this step.
            held = ((here <= lower) & (gradient > 0)) | ((here >= upper) & (gradient < 0))
            gradient[held] = 0
            hessian *= ~(held[:, :, None] | held[:, None, :])
            scale = np.maximum(np.einsum("bii->bi", hessian), 1e-12)
            step = np.linalg.solve(hessian + (damping[active, None] * scale + held)[:, :, None] * unit, gradient[..., None])[
                ..., 0
            ]
            trial = np.clip(here - np.clip(step, -2, 2), lower, upper)
            values, trial_slopes = curve(trial)
            trial_residual = values - target
            trial_losses = (weight * huber(trial_residual, delta)).sum(axis=1)
            better = trial_losses < losses[active]
            progress = losses[active] - trial_losses > tolerance * losses[active]
            damping[active] = np.clip(damping[active] * np.where(better, 0.2, 5), 1e-12, 1e8)
            quiet[active] = np.where(progress, 0, quiet[active] + 1)
            moved = active[better]
            solution[moved], losses[moved] = trial[better], trial_losses[better]
            residual[better], slopes[better] = trial_residual[better], trial_slopes[better]
            going = quiet[active] < QUIET_STEPS
            if not going.all():
                active, weight, residual, slopes = active[going], weight[going], residual[going], slopes[going]
                if not len(active):
                    break
    return solution, losses
