"""What the points of a scaling fit do not tell: short warnings for the fits table and the log."""

import numpy as np

from cortexscale.kernels.power_law import EXPONENTIAL, FORMS, PowerLawFit, as_columns

FEW = 12
"""Fewer points, or fewer units to resample, give intervals that mean little."""
NO_SATURATION = 1 - 1e-6
"""From this E on the law runs to S = 1: the data show no saturation, and E is an edge and not an estimate."""
FLAT = 1e-6
"""An exponent below this is at its bound 0: the score does not rise with X."""
SHARE = 0.025
"""What happens in more of the resamples reaches the 95 % interval."""
EXPONENTS = {"alpha": "X", "beta": "the second X"}


def warnings_of(fit: PowerLawFit, x: np.ndarray, units: int, unit: str) -> list[str]:
    """Warnings about one fit, the gravest first.

    Args:
        x: raw X, (n,) or (n, 2).
        units: how many units the bootstrap draws from.
        unit: what they are: row, config or architecture.
    """
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
    share = np.mean(fit.bootstrap_constants["E"] >= NO_SATURATION)
    return [f"E at its cap of 1 in {share:.0%} of the resamples"] if share > SHARE else []


def _exponents(fit: PowerLawFit) -> list[str]:
    found = []
    for name, variable in EXPONENTS.items():
        if name not in fit.constants:
            continue
        if fit.constants[name] < FLAT:
            found.append(f"{name} at its bound of 0: the score does not rise with {variable}")
            continue
        share = np.mean(fit.bootstrap_constants[name] < FLAT)
        if share > SHARE:
            found.append(f"{name} at its bound of 0 in {share:.0%} of the resamples")
    return found


def _offset(fit: PowerLawFit, x: np.ndarray) -> list[str]:
    """The exponent and the offset grow together once the law is as good as an exponential."""
    if fit.constants["alpha"] > EXPONENTIAL:
        return ["exponential in effect: alpha and lambda lie on a ridge, only tau_raw is identified"]
    share = np.mean(fit.bootstrap_constants["alpha"] > EXPONENTIAL)
    if share > SHARE:
        return [f"alpha and lambda lie on a ridge: exponential in {share:.0%} of the resamples"]
    if 10 ** fit.constants["lambda_raw"] < x.min() / 10:
        return ["offset below all X: lambda is not identified, the reduced form says the same"]
    return []
