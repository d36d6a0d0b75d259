"""Warnings about constants of a scaling fit that its points do not determine, for the fits table and the log."""

import numpy as np

from cortexscale.kernels.power_law import EXPONENTIAL, FORMS, PowerLawFit, as_columns

FEW = 12
"""Number of points, or of units to resample, below which intervals mean little."""
NO_SATURATION = 1 - 1e-6
"""Smallest E that counts as 1. The data then show no saturation, and E is the edge of its range instead of an estimate."""
FLAT = 1e-6
"""Smallest exponent that does not count as 0, its bound, where the score does not rise with X."""
TAIL = 0.025
"""Fraction of the resamples beyond which a value reaches the 95 % interval."""
EXPONENTS = {"alpha": "X", "beta": "the second X"}


def warnings_of(fit: PowerLawFit, x: np.ndarray, units: int, unit: str) -> list[str]:
    """Write warnings about one fit, the gravest first; the bootstrap draws so many units (row, config, architecture)."""
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
    """Warnings about the offset. It grows with the exponent once the law is practically an exponential."""
    if fit.constants["alpha"] > EXPONENTIAL:
        return ["exponential in effect: alpha and lambda lie on a ridge, only tau_raw is identified"]
    fraction = np.mean(fit.bootstrap_constants["alpha"] > EXPONENTIAL)
    if fraction > TAIL:
        return [f"alpha and lambda lie on a ridge: exponential in {fraction:.0%} of the resamples"]
    if 10 ** fit.constants["lambda_raw"] < x.min() / 10:
        return ["offset below all X: lambda is not identified, the reduced form says the same"]
    return []
