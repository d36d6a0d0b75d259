"""Parameters in which scaling laws are fitted.

The loss is flat in two directions of (e, a, alpha, lambda). In one, e goes to -infinity, and E to 1. In the other, alpha and
10**lambda grow together, and the law becomes an exponential. The parameters here have no such flat directions:

* v = exp(e) = 1 - E. It is bounded below, so that E = 1 is a bound instead of a point at infinity.
* c is the natural logarithm of the power term at the geometric mean of X.
* k is minus the slope of this logarithm in ln X, at the same X. It is at least 0, because alignment that falls with X does not
  saturate. In a small resample, alignment can fall by chance; a negative k would send the band at larger X to minus infinity.
* bend = lambda. Here it only bends the curve, from the power law (low) to the exponential (high).
"""

from itertools import product

import numpy as np

LN10 = np.log(10.0)
LOWEST_V = 1e-12
"""Smallest v. At this value, E is 1 to twelve digits."""
STEEPNESSES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Starting values of k."""


def levels(misalignment: np.ndarray) -> np.ndarray:
    """Return starting values of v.

    Three are among the lowest third of the values 1 - S, because noise raises some scores above E. Four are below all these
    values. Scores of 1 and above say nothing about v and are left out.
    """
    known = below_one(misalignment)
    return np.r_[np.quantile(known, [0.02, 0.1, 0.3]), known.min() * np.array([0.9, 0.7, 0.4, 0.05])]


def below_one(misalignment: np.ndarray) -> np.ndarray:
    """Select the misalignment of scores below 1."""
    return misalignment[misalignment > 2 * LOWEST_V]


def excess(misalignment: np.ndarray, v: float) -> np.ndarray:
    """Return ln(misalignment - v), which the power term must explain.

    The difference is at least a thousandth of the misalignment, so that it has a logarithm.
    """
    return np.log(np.maximum(misalignment - v, 1e-3 * misalignment))


class Powers:
    """The forms 1 - S = v + sum_j exp(c_j - k_j ln(X_j / centre_j)): reduced with one variable, chinchilla with two.

    centre_j is the geometric mean of X_j. Theta is (v, c, k) or (v, c, k, c, k). X is (n, variables) and above 0.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.centre = np.exp(np.log(x).mean(axis=0))
        self.logs = np.log(x / self.centre).T
        self.bounds = np.array([LOWEST_V] + len(self.logs) * [-50.0, 0.0]), np.array([10.0] + 2 * len(self.logs) * [50.0])

    def curve(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute ln(1 - S), (problems, n), and its derivatives by theta, (problems, p, n), at ``theta`` (problems, p)."""
        with np.errstate(over="ignore", invalid="ignore"):
            terms = [np.exp(theta[:, 1 + 2 * j, None] - theta[:, 2 + 2 * j, None] * logs) for j, logs in enumerate(self.logs)]
            total = sum(terms, theta[:, :1])
            slopes = [1 / total]
            for term, logs in zip(terms, self.logs, strict=True):
                slopes += [term / total, -term / total * logs]
            return np.log(total), np.stack(slopes, axis=1)

    def starts(self, log_misalignment: np.ndarray) -> np.ndarray:
        """Return a grid of starting points, (starts, p). All power terms start with equal parts of the misalignment above v."""
        misalignment = np.exp(log_misalignment)
        grid = []
        for v, *steepness in product(levels(misalignment), *(len(self.logs) * [STEEPNESSES])):
            start = [v]
            for k, logs in zip(steepness, self.logs, strict=True):
                start += [np.median(excess(misalignment, v) + k * logs) - np.log(len(self.logs)), k]
            grid.append(start)
        return np.array(grid)

    def far_starts(self, log_misalignment: np.ndarray) -> np.ndarray:
        """Return no further starting points, because the loss of these forms has only one basin."""
        return np.empty((0, 1 + 2 * len(self.logs)))

    def parameters(self, theta: np.ndarray) -> np.ndarray:
        """Convert ``theta`` (problems, p) to (e, a, alpha) or (e, a, alpha, b, beta), (problems, p)."""
        out = theta.copy()
        out[:, 0] = np.log(theta[:, 0])
        out[:, 1::2] += theta[:, 2::2] * np.log(self.centre)
        return out


class Offset:
    """The offset form: 1 - S = v + exp(c - k g(X)) with g = (1 + s / centre) ln((X + s) / (centre + s)) and s = 10**bend.

    X is (n,) and above 0. The centre is the geometric mean of X. The parameters theta are v, c, k, bend. g is close to ln(X /
    centre) for small s, and to (X - centre) / centre for large s. At the centre, the slope of g in ln X is 1.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.centre = x, float(np.exp(np.log(x).mean()))
        self.low, self.high = np.log10(x.min()), np.log10(x.max())
        self.bounds = np.array([LOWEST_V, -50, 0, self.low - 6]), np.array([10, 50, 50, self.high + 4])

    def curve(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute ln(1 - S), (problems, n), and its derivatives by theta, (problems, 4, n), at ``theta`` (problems, 4)."""
        v, c, k, bend = (theta[:, i, None] for i in range(4))
        s = 10**bend
        ratio = np.log1p((self.x - self.centre) / (self.centre + s))
        g = (1 + s / self.centre) * ratio
        with np.errstate(over="ignore", invalid="ignore"):
            power = np.exp(c - k * g)
            total = v + power
            fraction = power / total
            bending = -fraction * k * (s / self.centre) * LN10 * (ratio + np.expm1(-ratio))
            return np.log(total), np.stack([1 / total, fraction, -fraction * g, bending], axis=1)

    def _start(self, misalignment: np.ndarray, v: float, k: float, bend: float) -> list[float]:
        s = 10**bend
        g = (1 + s / self.centre) * np.log1p((self.x - self.centre) / (self.centre + s))
        return [v, np.median(excess(misalignment, v) + k * g), k, bend]

    def starts(self, log_misalignment: np.ndarray) -> np.ndarray:
        """Return a grid of starting points, (starts, 4)."""
        misalignment = np.exp(log_misalignment)
        bends = np.linspace(self.low - 1, self.high + 1, 7)
        return np.array([self._start(misalignment, *start) for start in product(levels(misalignment), STEEPNESSES, bends)])

    def far_starts(self, log_misalignment: np.ndarray) -> np.ndarray:
        """Return more starting points for every resample, (starts, 4).

        Curves close to an exponential lead to the best fit most often.
        """
        misalignment = np.exp(log_misalignment)
        return np.array(
            [self._start(misalignment, 0.9 * below_one(misalignment).min(), k, self.high + 1) for k in (0.03, 1.0, 3.0)]
        )

    def parameters(self, theta: np.ndarray) -> np.ndarray:
        """Convert ``theta`` (problems, 4) to (e, a, alpha, lambda), (problems, 4)."""
        v, c, k, bend = theta.T
        alpha = k * (1 + 10**bend / self.centre)
        return np.stack([np.log(v), c + alpha * np.log(self.centre + 10**bend), alpha, bend], axis=1)
