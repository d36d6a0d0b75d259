"""Fit one scaling law to points. The results are a row of the table of fits and a curve. All axes and score tables use this."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.kernels.power_law import EXPONENTIAL, FORMS, PowerLawFit, as_columns, choose_form, fit_power_law, resample_counts

CURVE_POINTS = 100
CONSTANTS = {"reduced": ("E", "ln_A", "alpha"), "offset": ("E", "ln_A", "lambda", "alpha")}
CONSTANTS["chinchilla"] = (*CONSTANTS["reduced"], "ln_B", "beta", "allocation")
FEW = 12
"""Number of points, and of resampled units, below which intervals mean little."""
NO_SATURATION = 1 - 1e-6
"""Smallest E that counts as 1. E cannot be above 1. At this bound, E is no estimate, because the data show no saturation."""
FLAT = 1e-6
"""Smallest exponent that does not count as 0. Exponents cannot be below 0. At this bound, the score does not rise with X."""
TAIL = 0.025
"""Fraction of resamples beyond either end of the 95 % interval. If more resamples are at a bound, a warning is written."""
EXPONENTS = {"alpha": "X", "beta": "the second X"}


@dataclass(frozen=True)
class Law:
    """A fitted law: a row of the table of fits, the points at raw X, and the number of times each point is in each resample.

    These ``counts`` have the shape (resamples, n).
    """

    row: dict[str, Any]
    fit: PowerLawFit
    x: np.ndarray
    score: np.ndarray
    counts: np.ndarray

    def curve(self, low: float, high: float) -> pd.DataFrame:
        """Evaluate the law and the pointwise 95 % band at 100 raw X from ``low`` to ``high``.

        The columns are ``x``, ``score``, ``low`` and ``high``.
        """
        at = np.geomspace(low, high, CURVE_POINTS)
        band = self.fit.band(at)
        return pd.DataFrame({"x": at, "score": self.fit.predict(at), "low": band[0], "high": band[1]})


def fit_law(
    x: np.ndarray,
    score: np.ndarray,
    *,
    form: str,
    x_scale: float | tuple[float, float],
    delta: float = 1e-3,
    bootstraps: int = 1000,
    seed: int = 42,
    bootstrap_unit: str = "row",
    clusters: np.ndarray | None = None,
    experiment: str = "points",
    names: Sequence[str] = (),
) -> Law:
    """Fit one law. ``docs/tables.md`` describes its row. Points that the form cannot describe raise an InputError.

    The warnings of the row name points with scores of 1 and above by their ``names`` (n,), if these are given.

    X is raw and has the shape (n,), or (n, 2) for the form chinchilla. The form ``auto`` chooses between reduced and offset by
    cross-validation, which keeps points with the same label in ``clusters`` (n,) together. If the bootstrap unit is ``row``,
    single points are resampled, as in the publication. Otherwise whole clusters are resampled. A law with a ``tau_raw`` is an
    exponential. Many combinations of ln_A, lambda and alpha then give the same curve.
    """
    x, score = np.asarray(x, float), np.asarray(score, float)
    rows = np.arange(len(score))
    resampled = rows if bootstrap_unit == "row" else clusters
    if resampled is None:
        raise InputError(f"fit of {experiment}", f"bootstrap unit {bootstrap_unit}", "a label per row", "give clusters")
    try:
        counts = resample_counts(len(score), bootstraps, seed, None if bootstrap_unit == "row" else clusters)
        if form == "auto":
            form, _ = choose_form(x, score, rows if clusters is None else clusters, delta=delta)
        fit = fit_power_law(x, score, form=form, x_scale=x_scale, delta=delta, counts=counts)
    except ValueError as error:
        expected, remedy = "points that a scaling law can describe", "drop or correct these points"
        raise InputError(f"fit of {experiment}", str(error), expected, remedy) from error
    row = {"experiment": experiment, "form": form, "n": len(score), **constants_of(fit), "x_scale": float(fit.x_scale[0])}
    if form == "chinchilla":
        row["x2_scale"] = float(fit.x_scale[1])
    row |= {"loss": fit.loss, "delta": delta, "tau_raw": fit.tau_raw, "saturates": bool(fit.constants["E"] < NO_SATURATION)}
    row |= {"bootstraps": bootstraps, "bootstrap_unit": bootstrap_unit, "seed": seed}
    found = [*warnings_of(fit, x, len(np.unique(resampled)), bootstrap_unit), *_not_below_one(score, names)]
    row["warnings"] = "; ".join(found)
    return Law(row, fit, x, score, counts)


def fit_experiment(x: np.ndarray, score: np.ndarray, *, extend: float = 10.0, **how: Any) -> tuple[dict[str, Any], pd.DataFrame]:
    """Fit a law with :func:`fit_law`. Return the row, and the curve from the smallest X to ``extend`` times the largest X.

    The curve has the columns ``experiment``, ``x`` (raw), ``score``, ``low`` and ``high``. It is empty for the form chinchilla,
    which has two variables.
    """
    law = fit_law(x, score, **how)
    if law.fit.form == "chinchilla":
        return law.row, pd.DataFrame(columns=["experiment", "x", "score", "low", "high"])
    curve = law.curve(np.min(x), extend * np.max(x))
    curve.insert(0, "experiment", law.row["experiment"])
    return law.row, curve


def constants_of(fit: PowerLawFit) -> dict[str, float]:
    """Return the constants for scaled and raw X, with percentiles over resamples. Without an offset, ``lambda`` is nan."""
    row = {"lambda": np.nan, "lambda_raw": np.nan, **fit.constants}
    for name in CONSTANTS[fit.form]:
        row[f"{name}_low"], row[f"{name}_high"] = np.nanpercentile(fit.bootstrap_constants[name], (2.5, 97.5))
    return row


def warnings_of(fit: PowerLawFit, x: np.ndarray, units: int, unit: str) -> list[str]:
    """List warnings about one fit, the most serious first. ``units`` is the number of units that are resampled."""
    found = [*_saturation(fit), *_exponents(fit)]
    found += _offset(fit, x) if fit.form == "offset" else []
    values = min(len(np.unique(column)) for column in as_columns(x).T)
    needed = len(FORMS[fit.form]) if as_columns(x).shape[1] == 1 else 3
    if values < needed:
        found.append(f"{values} values of X for {needed} parameters")
    if len(x) < FEW:
        found.append(f"{len(x)} points, fewer than {FEW}")
    if unit != "row" and units < FEW:
        found.append(f"{units} units ({unit}) to resample, fewer than {FEW}")
    return found


def _not_below_one(score: np.ndarray, names: Sequence[str]) -> list[str]:
    above = np.flatnonzero(score >= 1).tolist()
    if not above:
        return []
    named = f" ({', '.join(dict.fromkeys(names[row] for row in above))})" if len(names) else ""
    return [f"{len(above)} of {len(score)} scores are not below 1{named}: the law knows their side but not their distance"]


def _saturation(fit: PowerLawFit) -> list[str]:
    if fit.constants["E"] >= NO_SATURATION:
        return ["E at its cap of 1: the points show no saturation"]
    fraction = np.mean(fit.bootstrap_constants["E"] >= NO_SATURATION)
    return [f"E at its cap of 1 in {fraction:.0%} of the resamples"] if fraction > TAIL else []


def _exponents(fit: PowerLawFit) -> list[str]:
    found = []
    for name, variable in EXPONENTS.items():
        if name not in fit.constants:
            continue
        if fit.constants[name] < FLAT:
            found.append(f"{name} at its bound of 0: the score does not rise with {variable}")
            continue
        fraction = np.mean(fit.bootstrap_constants[name] < FLAT)
        if fraction > TAIL:
            found.append(f"{name} at its bound of 0 in {fraction:.0%} of the resamples")
    return found


def _offset(fit: PowerLawFit, x: np.ndarray) -> list[str]:
    """List warnings about the offset. An exponential law is fitted equally well by larger offsets with larger alphas."""
    if fit.constants["alpha"] > EXPONENTIAL:
        return ["exponential in effect: alpha and lambda lie on a ridge, only tau_raw is identified"]
    fraction = np.mean(fit.bootstrap_constants["alpha"] > EXPONENTIAL)
    if fraction > TAIL:
        return [f"alpha and lambda lie on a ridge: exponential in {fraction:.0%} of the resamples"]
    if 10 ** fit.constants["lambda_raw"] < x.min() / 10:
        return ["offset below all X: lambda is not identified, the reduced form says the same"]
    return []
