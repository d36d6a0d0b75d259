"""Scaling laws of one pretraining axis: every family and benchmark (paper, sections 3 and 4.1)."""

from typing import Any

import pandas as pd

from cortexscale.scaling.axes import ALL, AXES, axis_points, benchmark_scores
from cortexscale.scaling.groups import fit_families

CLUSTERS = {
    "row": None,
    "config": ["backbone_arch", "pretraining_dataset", "pretraining_samples_per_class"],
    "architecture": ["backbone_arch"],
}
"""Which models are resampled together, by bootstrap unit: none, the seeds of a configuration, all of an architecture."""


def fit_axis(
    pretraining: pd.DataFrame, axis: str, form: str, settings: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Fit every family x benchmark of an axis, and all families together.

    Args:
        pretraining: table of :func:`cortexscale.alignment.collect.pretraining_table`.
        axis: ``compute``, ``samples`` or ``parameters``.
        form: ``offset``, ``reduced`` or ``auto``.
        settings: ``bootstraps``, ``bootstrap_unit``, ``delta``, ``seed``, ``composite_rois``.

    Returns:
        The fits and curves of :func:`cortexscale.scaling.groups.fit_families`, and the models of the axis, of
        :func:`cortexscale.scaling.axes.axis_points`.
    """
    models = axis_points(benchmark_scores(pretraining, settings["composite_rois"]), axis)
    rows = models[models["fitted"]]
    families = [(ALL, rows), *rows.groupby("family")]
    return *fit_families(families, axis, form, AXES[axis].scale, settings, CLUSTERS[settings["bootstrap_unit"]]), models
