"""Scaling laws of one pretraining axis: every family and benchmark (paper, sections 3 and 4.1)."""

import logging
from typing import Any

import pandas as pd

from cortexscale.kernels.power_law import FORMS
from cortexscale.scaling.axes import ALL, AXES, axis_points, benchmark_scores
from cortexscale.scaling.fit import fit_experiment

log = logging.getLogger(__name__)

CLUSTERS = {
    "row": None,
    "config": ["backbone_arch", "pretraining_dataset", "pretraining_samples_per_class"],
    "architecture": ["backbone_arch"],
}
"""Which models are resampled together, by bootstrap unit: none, the seeds of a configuration, all of an architecture."""


POINTS_PER_PARAMETER = 3
"""With fewer models per parameter most bootstrap resamples do not determine the form, and the band says nothing."""
NAMES = ["axis", "family", "benchmark_name"]


def fit_axis(
    pretraining: pd.DataFrame, axis: str, form: str, settings: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Fit every family x benchmark of an axis; families with too few models for the form are left out.

    Args:
        pretraining: table of :func:`cortexscale.alignment.collect.pretraining_table`.
        axis: ``compute``, ``samples`` or ``parameters``.
        form: ``offset``, ``reduced`` or ``auto``.
        settings: ``bootstraps``, ``bootstrap_unit``, ``delta``, ``seed``, ``composite_rois``.

    Returns:
        One row per fit: ``axis``, ``family``, ``benchmark_name`` and the columns of
        :func:`cortexscale.scaling.fit.fit_experiment`; the curves, with the same three columns; both are empty where no
        family has enough models. And the models of the axis, of :func:`cortexscale.scaling.axes.axis_points`.
    """
    models = axis_points(benchmark_scores(pretraining, settings["composite_rois"]), axis)
    rows = models[models["fitted"]]
    needed = POINTS_PER_PARAMETER * len(FORMS["offset" if form == "auto" else form])
    labels = CLUSTERS[settings["bootstrap_unit"]]
    fits, curves = [], []
    for family, members in [(ALL, rows), *rows.groupby("family")]:
        for benchmark, points in members.groupby("benchmark_name", sort=False):
            name = {"axis": axis, "family": family, "benchmark_name": benchmark}
            if len(points) < needed:
                log.info("%s: no fit, %d models are fewer than the %d that the %s form wants", name, len(points), needed, form)
                continue
            fit, curve = fit_experiment(
                points["x"].to_numpy(),
                points["score"].to_numpy(),
                form=form,
                x_scale=AXES[axis].scale,
                delta=settings["delta"],
                bootstraps=settings["bootstraps"],
                seed=settings["seed"],
                bootstrap_unit=settings["bootstrap_unit"],
                clusters=points[labels].astype(str).agg("/".join, axis=1).to_numpy() if labels else None,
                experiment=f"{axis}/{family}/{benchmark}",
            )
            fits.append(name | fit)
            curves.append(curve.assign(**name))
            log.info("%s: loss %.6f, E %.3f from %d models", fit["experiment"], fit["loss"], fit["E"], fit["n"])
    if not fits:
        log.warning("axis %s: no fit, for want of models; figures show points only", axis)
        return pd.DataFrame(columns=NAMES), pd.DataFrame(columns=NAMES).assign(x=0.0, score=0.0, low=0.0, high=0.0), models
    return pd.DataFrame(fits), pd.concat(curves, ignore_index=True), models
