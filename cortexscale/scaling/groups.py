"""Scaling laws of one axis: every family x benchmark of its points. Pretraining and mapping go through here."""

import logging
from collections.abc import Iterable
from typing import Any

import pandas as pd

from cortexscale.kernels.power_law import FORMS
from cortexscale.scaling.fit import fit_experiment

log = logging.getLogger(__name__)

POINTS_PER_PARAMETER = 3
"""With fewer points per parameter most bootstrap resamples do not determine the form, and the band says nothing."""
NAMES = ["axis", "family", "benchmark_name"]


def fit_families(
    families: Iterable[tuple[str, pd.DataFrame]],
    axis: str,
    form: str,
    x_scale: float,
    settings: dict[str, Any],
    labels: list[str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit every family x benchmark; those with too few points for the form are left out.

    Args:
        families: name and points, rows with ``benchmark_name``, ``x`` and ``score``.
        form: ``offset``, ``reduced`` or ``auto``.
        settings: ``bootstraps``, ``bootstrap_unit``, ``delta``, ``seed``.
        labels: columns that say which points are resampled together.

    Returns:
        One row per fit: ``axis``, ``family``, ``benchmark_name`` and the columns of
        :func:`cortexscale.scaling.fit.fit_experiment`; the curves, with the same three columns. Both are empty where no
        family has enough points.
    """
    needed = POINTS_PER_PARAMETER * len(FORMS["offset" if form == "auto" else form])
    fits, curves = [], []
    for family, members in families:
        for benchmark, points in members.groupby("benchmark_name", sort=False):
            name = {"axis": axis, "family": family, "benchmark_name": benchmark}
            if len(points) < needed:
                log.info("%s: no fit, %d points are fewer than the %d that the %s form wants", name, len(points), needed, form)
                continue
            fit, curve = fit_experiment(
                points["x"].to_numpy(),
                points["score"].to_numpy(),
                form=form,
                x_scale=x_scale,
                delta=settings["delta"],
                bootstraps=settings["bootstraps"],
                seed=settings["seed"],
                bootstrap_unit=settings["bootstrap_unit"],
                clusters=points[labels].astype(str).agg("/".join, axis=1).to_numpy() if labels else None,
                experiment=f"{axis}/{family}/{benchmark}",
            )
            fits.append(name | fit)
            curves.append(curve.assign(**name))
            log.info("%s: loss %.6f, E %.3f from %d points", fit["experiment"], fit["loss"], fit["E"], fit["n"])
    if not fits:
        log.warning("axis %s: no fit, for want of points; figures show points only", axis)
        return pd.DataFrame(columns=NAMES), pd.DataFrame(columns=NAMES).assign(x=0.0, score=0.0, low=0.0, high=0.0)
    return pd.DataFrame(fits), pd.concat(curves, ignore_index=True)
