"""The expected score of a perfect model, which knows the signal of every unit, on noisy test responses of selected units.

Noise ceilings are estimated from the same test trials that are scored. Among units that were selected by their estimated
ceilings, these ceilings are therefore too high on average. Here, the distribution of the signal over all examined units, selected
or not, is estimated first, by nonparametric maximum likelihood (Laird 1978, JASA 73, 805-811). The score of a perfect model on a
unit is then a posterior mean, given the unit's estimated ceiling. Selection by a quantity does not bias posterior means that are
conditioned on this quantity (Efron 2011, JASA 106, 1602-1614).

The test responses of a unit to n stimuli, minus their mean, are a vector y = s + e with d = n - 1 dimensions: signal plus
Gaussian noise. With the estimated noise variance v of a mean over repetitions, the estimated ceiling is c = 1 - 1 / F with F =
|y|^2 / (d v). The squared length |y|^2 is noncentral chi-squared. It is thus chi-squared with d + 2 J degrees of freedom, where J
is a Poisson variable with mean |s|^2 / (2 v). Given J, the squared correlation of y and s has the mean (1 + 2 J) / (d + 2 J) and
is independent of |y| and of v. It is therefore sufficient to know the distribution of J over units.
"""

from functools import cache

import numpy as np

_LARGEST = 1000.0  # units with a larger F are not told apart; this F is a ceiling of 99.9 %
_BINS = 250  # number of bins of F above 1; a unit with F below 1 has an estimated ceiling of 0
_ITERATIONS = 2000  # number of steps of the EM algorithm
_NEGLIGIBLE = 1e-9  # likelihood below which a point of the grid explains no unit
_BLOCKS = 20  # largest number of blocks of stimuli in the jackknife


def perfect_scores(
    nc_percent: np.ndarray, n_stimuli: int, repetitions: float, ceiling_stimuli: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate r^2 and r of a perfect model for every examined unit: two arrays (units,), nan without an estimated ceiling.

    The estimates are right on average over all units, and over any units that were selected by their estimated ceilings.

    Args:
        nc_percent: (units,) estimated noise ceilings of all examined units, in percent of variance, with 0 for negative ones.
        n_stimuli: number of test stimuli.
        repetitions: number of trials of each stimulus (harmonic mean if it differs).
        ceiling_stimuli: number of stimuli that the ceilings were estimated from, if these are not only the test stimuli.
    """
    known = np.isfinite(nc_percent)
    r_squared, r = np.full((2, len(nc_percent)), np.nan)
    d = (ceiling_stimuli or n_stimuli) - 1
    df = round(d * (repetitions - 1))
    if n_stimuli < 3 or df < 1 or not known.any():
        return r_squared, r
    J, likelihood = _likelihood(d, df)
    F = 1 / (1 - np.minimum(nc_percent[known] / 100, 1 - 1 / _LARGEST))
    bins = np.where(F <= 1, 0, np.clip(np.searchsorted(_edges(), F, side="right") - 1, 1, _BINS))
    fraction = np.bincount(bins, minlength=_BINS + 1) / len(bins)
    occupied = fraction > 0
    possible = likelihood[occupied].max(axis=0) > _NEGLIGIBLE
    J, likelihood, fraction = J[possible], likelihood[:, possible], fraction[occupied]
    prior, of_occupied = np.full(len(J), 1 / len(J)), likelihood[occupied]
    for _ in range(_ITERATIONS):
        prior *= (fraction / np.maximum(of_occupied @ prior, 1e-300)) @ of_occupied
    posterior = likelihood * prior
    posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1e-300)
    dimensions, signal = n_stimuli - 1, J * (n_stimuli - 1) / d
    r_squared[known] = (posterior @ ((1 + 2 * signal) / (dimensions + 2 * signal)))[bins]
    r[known] = (posterior @ np.sqrt(np.where(J > 0, 2 * signal + 0.5, 0) / (dimensions + 2 * signal)))[bins]
    return r_squared, r


def calibrated_score(r: np.ndarray, perfect_r_squared: np.ndarray, n_stimuli: int) -> float:
    """Compute the correlation of a model with the signal of an ROI, from Pearson r with the noisy responses of its units.

    The score is the root of A / B. A is the sum over units of r^2 - 1 / d, and B is the same sum for a perfect model. Here,
    d = ``n_stimuli`` - 1, and 1 / d is the mean of r^2 of a model that knows nothing. A perfect model thus scores 1. If A is
    negative, the score is minus the root of -A / B. The score is nan if B is not known or not above 0.
    """
    return float(_signed_root(_explained(r, n_stimuli) / _possible(perfect_r_squared, n_stimuli)))


def calibrated_interval(
    predicted: np.ndarray, observed: np.ndarray, nc_percent: np.ndarray, perfect_r_squared: np.ndarray
) -> tuple[float, float]:
    """Compute the 95 % interval of :func:`calibrated_score` over stimuli, from predicted and observed responses (stimuli, units).

    The square of the score is recomputed without each of at most 20 blocks of stimuli (jackknife, Student's t). Without a
    block, the observed responses have another variance. The noise variance is kept, so the estimated ceilings change. The sum for
    a perfect model changes by the sum of these changes.
    """
    n, blocks = len(observed), min(_BLOCKS, len(observed))
    if n < 4 or not np.isfinite(possible := _possible(perfect_r_squared, n)):
        return np.nan, np.nan
    x, y = (np.asarray(values, np.float64) - values.mean(axis=0, dtype=np.float64) for values in (predicted, observed))
    block, whole = np.arange(n) % blocks, y.var(axis=0)
    squares = np.empty(blocks)
    for left_out in range(blocks):
        inside = block != left_out
        a, b = x[inside] - x[inside].mean(axis=0), y[inside] - y[inside].mean(axis=0)
        variance = np.square(b).mean(axis=0)
        r = (a * b).mean(axis=0) / np.sqrt(np.maximum(np.square(a).mean(axis=0) * variance, 1e-300))
        change = ((1 - nc_percent / 100) * (1 - whole / np.maximum(variance, 1e-300))).sum()
        squares[left_out] = _explained(r, len(a)) / (possible + change)
    square = (
        _explained((x * y).sum(axis=0) / np.sqrt(np.maximum((x * x).sum(axis=0) * (y * y).sum(axis=0), 1e-300)), n) / possible
    )
    half = _student_t(blocks - 1) * np.sqrt((blocks - 1) * squares.var())
    low, high = _signed_root(np.array([square - half, square + half]))
    return float(low), float(high)


def has_signal(observed: np.ndarray, nc_percent: np.ndarray, perfect_r_squared: np.ndarray) -> bool:
    """Tell whether a perfect model exceeds chance by more than the error of this difference. ``observed`` is (stimuli, units).

    The error comes from a jackknife as in :func:`calibrated_interval`. Without signal, the calibrated score has no meaning.
    """
    n, blocks = len(observed), min(_BLOCKS, len(observed))
    possible = _possible(perfect_r_squared, n)
    if n < 4 or not possible > 0:
        return False
    block, whole = np.arange(n) % blocks, observed.var(axis=0, dtype=np.float64)
    parts = [observed[block != left_out].var(axis=0, dtype=np.float64) for left_out in range(blocks)]
    changes = [((1 - nc_percent / 100) * (1 - whole / np.maximum(part, 1e-300))).sum() for part in parts]
    return bool(possible > _student_t(blocks - 1) * np.sqrt((blocks - 1) * np.var(changes)))


def _student_t(degrees: int) -> float:
    """Return the 97.5th percentile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))


def _explained(r: np.ndarray, n_stimuli: int) -> float:
    return float(np.sum(np.square(r) - 1 / (n_stimuli - 1)))


def _possible(perfect_r_squared: np.ndarray, n_stimuli: int) -> float:
    possible = _explained(np.sqrt(perfect_r_squared), n_stimuli)
    return possible if possible > 0 else np.nan


def _signed_root(square: np.ndarray | float) -> np.ndarray:
    return np.sign(square) * np.sqrt(np.abs(square))


def _edges() -> np.ndarray:
    return np.concatenate([[0], np.geomspace(1, _LARGEST * 1.01, _BINS + 1)])


@cache
def _likelihood(d: int, df: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a grid of J (points,), and the probability of each bin of F at each point, (bins, points)."""
    from scipy.special import fdtr

    grid = [0.0]
    while d + 2 * grid[-1] < d * _LARGEST:
        grid.append(grid[-1] + max(0.06 * np.sqrt(2 * d + 4 * grid[-1]), 0.04 * grid[-1]))
    J = np.array(grid)
    cdf = fdtr(d + 2 * J, df, _edges()[:, None] * d / (d + 2 * J))
    return J, np.diff(cdf, axis=0)
