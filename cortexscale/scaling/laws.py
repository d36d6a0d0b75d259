"""Scaling laws of an axis: compute, samples, parameters; neural data for fine-tuning and for mapping (paper, sections 3 and 4).

With eight benchmarks the tables of the paper give its 225 fits: 45 of compute, 45 of parameters, 63 of samples, 54 of
fine-tuning and 18 of mapping.
"""

from typing import Any

import numpy as np
import pandas as pd

from cortexscale.scaling import neural_data
from cortexscale.scaling.axes import ALL, AXES, axis_points, benchmark_scores
from cortexscale.scaling.fit import Law
from cortexscale.scaling.groups import Laws, fit_families, fits_table, stacked

CLUSTERS = {
    "config": ["backbone_arch", "pretraining_dataset", "pretraining_samples_per_class"],
    "architecture": ["backbone_arch"],
}
"""Which models belong together: the seeds of a configuration, all of an architecture."""
BEYOND = 10.0
"""Curves run to so many times the largest X that was fitted, and further to a model that is held out."""
NORMAL = 1.4826
"""A median absolute deviation times this is the standard deviation of normal values."""
DISTANCES = ["predicted", "residual", "residual_half_widths", "residual_spreads"]


def fit_axis(
    table: pd.DataFrame, axis: str, form: str, settings: dict[str, Any], metric: str = "pearsonr_nc"
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Fit every family x benchmark of an axis; on the axes of pretraining also all families together.

    Args:
        table: the result table of the axis: pretraining, finetuning or mapping.
        axis: ``compute``, ``samples``, ``parameters``, ``finetuning`` or ``mapping``.
        form: ``offset``, ``reduced`` or ``auto``.
        settings: ``bootstraps``, ``bootstrap_unit``, ``delta``, ``seed``, ``composite_rois``.
        metric: column of the scores.

    Returns:
        The fits, one row each: ``axis``, ``metric``, ``family``, ``benchmark_name`` and the row of
        :func:`cortexscale.scaling.fit.fit_law`. Their curves: the same names, ``x``, ``score``, ``low``, ``high``. The points
        behind them, on the axes of pretraining with :func:`distances`.
    """
    names = {"axis": axis, "metric": metric}
    if axis in AXES:
        points = axis_points(benchmark_scores(table, settings["composite_rois"], metric), axis)
        laws = fit_families(pretraining_families(points, axis), axis, form, AXES[axis].scale, settings, CLUSTERS)
        curves = {name: law_curve(law, points) if name[0] == ALL else law_curve(law) for name, law in laws.items()}
        points = points.join(distances(points, laws)).assign(**names)
    else:
        points = neural_data.POINTS[axis](table, settings["composite_rois"], metric)
        families = points.groupby("family", sort=False)
        laws = fit_families(families, axis, form, neural_data.SCALE, settings, neural_data.CLUSTERS)
        curves = {name: law_curve(law) for name, law in laws.items()}
    return fits_table(laws, **names), stacked(curves, ("x", "score", "low", "high"), **names), points


def pretraining_families(points: pd.DataFrame, axis: str) -> list[tuple[str, pd.DataFrame]]:
    """The points that are fitted: all families, and each that varies the axis.

    A family of one architecture varies its data only: on the axes of compute and parameters it has no law of its own.
    """
    fitted = points[points["fitted"]]
    families = list(fitted.groupby("family"))
    if axis != "samples":
        families = [(name, members) for name, members in families if members["backbone_arch"].nunique() > 1]
    return [(ALL, fitted), *families]


def law_curve(law: Law, points: pd.DataFrame | None = None) -> pd.DataFrame:
    """The curve and band of a law, as far as the farthest of ``points`` where they go beyond."""
    farthest = BEYOND * law.x.max()
    return law.curve(law.x.min(), farthest if points is None else max(farthest, points["x"].max()))


def distances(points: pd.DataFrame, laws: Laws) -> pd.DataFrame:
    """How far models lie from the law of all families, as held-out models should not.

    Returns:
        By the index of ``points``: ``predicted`` S of the law of their benchmark; ``residual``, score minus prediction;
        ``residual_half_widths``, the same in half-widths of the 95 % band there, which says whether the law could be
        that wrong; ``residual_spreads``, in robust standard deviations of the fitted models about the law, which says
        whether a fitted model could be that far. nan where there is no fit.
    """
    found = pd.DataFrame(np.nan, points.index, DISTANCES)
    for benchmark, models in points.groupby("benchmark_name"):
        if (ALL, benchmark) not in laws:
            continue
        law, x = laws[ALL, benchmark], models["x"].to_numpy()
        predicted, (low, high) = law.fit.predict(x), law.fit.band(x)
        residual = models["score"].to_numpy() - predicted
        spread = NORMAL * np.median(np.abs(law.score - law.fit.predict(law.x)))
        found.loc[models.index] = np.stack([predicted, residual, residual / ((high - low) / 2), residual / spread], axis=1)
    return found
