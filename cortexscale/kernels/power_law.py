"""Saturating power laws of alignment, fitted robustly (paper, Eq. 3; Gokce & Schrimpf 2025).

The score S at X is S = E - A (X + 10**lambda)**-alpha with E = 1 - exp(e) and A = exp(a). The law is fitted to ln(1 - S) =
logsumexp(e, a - alpha ln(X + 10**lambda)). The fit minimises Huber's loss with threshold delta, summed over points. A score of 1
or more has no logarithm. It counts as a point far above the law, as in censored least absolute deviations (Powell 1984): Huber's
loss is linear there, so that the law depends on which side of it such a point lies, and not on the distance.

There are three forms:

    reduced     e, a, alpha             without the offset 10**lambda
    offset      e, a, alpha, lambda
    chinchilla  e, a, alpha, b, beta    two variables N and D: logsumexp(e, a - alpha ln N, b - beta ln D)
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cortexscale.kernels.power_law_forms import LOWEST_V, Offset, Powers
from cortexscale.kernels.power_law_search import fit_full_sample, fit_resamples
from cortexscale.kernels.robust_curve import huber

FORMS = {
    "reduced": ("e", "a", "alpha"),
    "offset": ("e", "a", "alpha", "lambda"),
    "chinchilla": ("e", "a", "alpha", "b", "beta"),
}
EXPONENTIAL = 5.0
"""Above this alpha the law is almost S = E - c exp(-X / tau). The points then determine only E, c and tau = 10**lambda /
alpha."""


@dataclass(frozen=True)
class PowerLawFit:
    """A scaling law, fitted to points and to bootstrap resamples of these points.

    ``parameters`` (p,) are in the order of ``FORMS[form]``, for X / ``x_scale``. Raw X means X before this division. e, a and b
    are natural logarithms. ``loss`` is Huber's loss, summed over points. ``bootstrap`` (resamples, p) has the parameters of each
    resample.
    """

    form: str
    parameters: np.ndarray
    loss: float
    x_scale: np.ndarray
    bootstrap: np.ndarray
    bootstrap_losses: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Compute S (n,) at raw X, which has the shape (n,), or (n, 2) for chinchilla."""
        return self.curves(self.parameters[None], x)[0]

    def band(self, x: np.ndarray, percentiles: tuple[float, float] = (2.5, 97.5)) -> np.ndarray:
        """Compute percentiles of S over the resamples at each raw X, (2, n)."""
        return np.percentile(self.curves(self.bootstrap, x), percentiles, axis=0)

    def curves(self, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Compute S at raw X for several laws, (laws, n), from their ``parameters`` (laws, p)."""
        scaled = as_columns(x) / self.x_scale
        named = dict(zip(FORMS[self.form], parameters.T[:, :, None], strict=True))
        offset = 10 ** named["lambda"] if "lambda" in named else 0.0
        misalignment = np.exp(named["e"]) + np.exp(named["a"] - named["alpha"] * np.log(scaled[:, 0] + offset))
        if "beta" in named:
            misalignment += np.exp(named["b"] - named["beta"] * np.log(scaled[:, 1]))
        return 1 - misalignment

    @cached_property
    def constants(self) -> dict[str, float]:
        """Constants of the fitted law by name. :meth:`bootstrap_constants` explains the names."""
        return {name: float(value[0]) for name, value in self._constants(self.parameters[None]).items()}

    @cached_property
    def bootstrap_constants(self) -> dict[str, np.ndarray]:
        """Constants of the laws of all resamples: an array (resamples,) for each name.

        Constants named ``_raw`` are for raw X, all others for X / ``x_scale``. ``allocation`` is beta / (alpha + beta): the
        optimal N grows with compute C as N ~ C**allocation.
        """
        return self._constants(self.bootstrap)

    def _constants(self, parameters: np.ndarray) -> dict[str, np.ndarray]:
        named = dict(zip(FORMS[self.form], parameters.T, strict=True))
        shift = np.log(self.x_scale)
        constants = {"E": -np.expm1(named["e"]), "ln_A": named["a"], "alpha": named["alpha"]}
        constants["ln_A_raw"] = named["a"] + named["alpha"] * shift[0]
        if self.form == "offset":
            constants |= {"lambda": named["lambda"], "lambda_raw": named["lambda"] + np.log10(self.x_scale[0])}
        if self.form == "chinchilla":
            constants |= {"ln_B": named["b"], "beta": named["beta"], "ln_B_raw": named["b"] + named["beta"] * shift[1]}
            with np.errstate(invalid="ignore"):
                constants["allocation"] = named["beta"] / (named["alpha"] + named["beta"])
        return constants

    @property
    def tau_raw(self) -> float:
        """tau of the exponential limit for raw X. It is nan if the points determine alpha and lambda."""
        if self.form != "offset" or self.constants["alpha"] <= EXPONENTIAL:
            return float("nan")
        return 10 ** self.constants["lambda_raw"] / self.constants["alpha"]


def as_columns(x: np.ndarray) -> np.ndarray:
    """Return X as an array of shape (n, variables)."""
    return np.asarray(x, float).reshape(len(x), -1)


def resample_counts(n: int, bootstraps: int, seed: int, clusters: np.ndarray | None = None) -> np.ndarray:
    """Return how often each of n points occurs in each bootstrap resample, (bootstraps, n).

    Rows are drawn as in the published fits, with ``default_rng(seed).integers(0, n, (bootstraps, n))``. If the labels
    ``clusters`` (n,) are given, whole clusters are drawn in the same way. The number of draws is the number of clusters.
    """
    if n == 0:
        raise ValueError("no points")
    labels = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    units = int(labels.max()) + 1
    drawn = np.random.default_rng(seed).integers(0, units, (bootstraps, units))
    counts = np.zeros((bootstraps, units))
    np.add.at(counts, (np.arange(bootstraps)[:, None], drawn), 1)
    return counts[:, labels]


def fit_power_law(
    x: np.ndarray,
    score: np.ndarray,
    *,
    form: str,
    x_scale: float | tuple[float, float] = 1.0,
    delta: float = 1e-3,
    counts: np.ndarray | None = None,
) -> PowerLawFit:
    """Fit a law to scores at raw X above 0, and to every resample of these points.

    X is (n,), or (n, 2) for chinchilla. ``x_scale`` sets the unit of X in the constants and does not change the curve. ``delta``
    is the residual of ln(1 - S) above which Huber's loss is linear. ``counts`` (resamples, n) come from :func:`resample_counts`;
    by default there are no resamples.
    """
    x, score = as_columns(x), np.asarray(score, float)
    check_points(x, score, form)
    scale = np.broadcast_to(np.asarray(x_scale, float), x.shape[1:])
    law = Offset(x[:, 0] / scale[0]) if form == "offset" else Powers(x / scale)
    target = log_misalignment(score)
    best, loss = fit_full_sample(law, target, delta)
    counts = np.empty((0, len(score))) if counts is None else counts
    resampled, losses = fit_resamples(law, target, counts, best, delta)
    return PowerLawFit(form, law.parameters(best[None])[0], loss, scale, law.parameters(resampled), losses)


def choose_form(
    x: np.ndarray, score: np.ndarray, groups: np.ndarray, *, delta: float = 1e-3, folds: int = 10
) -> tuple[str, dict[str, float]]:
    """Choose the form, reduced or offset, with the lower mean Huber loss on held-out points. Return this form, and the losses
    of both forms.

    Points of the same group, such as an architecture, are held out together. ``groups`` (n,) are assigned to folds from the
    largest to the smallest. A single group raises ValueError.
    """
    _, label, size = np.unique(groups, return_inverse=True, return_counts=True)
    if len(size) < 2:
        raise ValueError("one group only: a cross-validation that keeps groups together needs two or more")
    folds = min(folds, len(size))
    fold = np.empty(len(size), int)
    fold[np.argsort(-size, kind="stable")] = np.arange(len(size)) % folds
    held_out = fold[label] == np.arange(folds)[:, None]
    losses = {}
    for form in ("reduced", "offset"):
        fit = fit_power_law(x, score, form=form, delta=delta, counts=~held_out * 1.0)
        residual = np.log1p(-fit.curves(fit.bootstrap, x)) - log_misalignment(np.asarray(score, float))
        losses[form] = float(huber(residual, delta)[held_out].mean())
    return min(losses, key=lambda form: losses[form]), losses


def log_misalignment(score: np.ndarray) -> np.ndarray:
    """Compute ln(1 - S), (n,), from scores (n,). Scores of 1 and above get the smallest value that a law can have."""
    return np.log1p(-np.minimum(score, 1 - LOWEST_V))


def check_points(x: np.ndarray, score: np.ndarray, form: str) -> None:
    """Raise ValueError unless a law of this form can be fitted to the points."""
    if form not in FORMS:
        raise ValueError(f"no form {form!r}; there are {', '.join(FORMS)}")
    variables, needed = 2 if form == "chinchilla" else 1, len(FORMS[form])
    if x.shape != (len(score), variables):
        raise ValueError(f"X of shape {x.shape} for {len(score)} scores; the {form} form takes {variables} column(s)")
    bad = ~(np.isfinite(x) & (x > 0)).all(axis=1)
    if bad.any():
        raise ValueError(f"{bad.sum()} of {len(x)} X are not finite and positive, the first is {x[bad][0]} in row {bad.argmax()}")
    bad = ~np.isfinite(score)
    if bad.any():
        raise ValueError(f"{bad.sum()} of {len(x)} scores are not finite, the first is {score[bad][0]} in row {bad.argmax()}")
    if len(score) and (score >= 1).all():
        raise ValueError(f"none of {len(x)} scores is below 1; the law is fitted to ln(1 - score)")
    if len(score) < needed or (np.ptp(x, axis=0) == 0).any():
        raise ValueError(f"{len(score)} points with {len(np.unique(x))} values of X; the {form} form has {needed} parameters")
