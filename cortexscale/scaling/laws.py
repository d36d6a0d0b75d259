"""Fit the scaling laws of an axis: of compute, samples, parameters, fine-tuning or mapping (paper, sections 3 and 4).

The tables of the paper have eight benchmarks. They give the 225 fits of the paper: 45 of compute, 45 of parameters, 63 of
samples, 54 of fine-tuning and 18 of mapping.
"""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from cortexscale.alignment.averages import AVERAGE, averaged_rows, incomplete
from cortexscale.catalogue.axes import AXES, MODEL_AXES
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.kernels.power_law import FORMS
from cortexscale.scaling.fit import Law, fit_law
from cortexscale.scaling.points import ALL, law_families, no_law_because, points_of
from cortexscale.study.fits import FitSettings

log = logging.getLogger(__name__)

POINTS_PER_PARAMETER = 3
"""Smallest number of points per parameter of a law. Fewer points do not determine the form in most bootstrap resamples."""

Laws = dict[tuple[str, str], Law]

MODEL_CLUSTERS = {
    "config": ["backbone_arch", "pretraining_dataset", "pretraining_samples_per_class"],
    "architecture": ["backbone_arch"],
}
"""Unit of the bootstrap -> columns that identify a unit. Models of one configuration differ only in the seed."""
FRACTION_CLUSTERS = {"config": ["data_pct", "x"], "architecture": ["data_pct", "x"]}
"""Unit of the bootstrap -> columns that identify a unit on the axes of neural data.

All seeds of a percentage are one unit, because there is a single architecture.
"""
BEYOND = 10.0
"""Curves end at this multiple of the largest fitted X, or at the largest X of a held-out model, if that is farther."""
NORMAL = 1.4826
"""Standard deviation of a normal distribution, divided by its median absolute deviation."""
DISTANCES = ["predicted", "residual", "residual_half_widths", "residual_spreads"]


def fit_axis(
    table: pd.DataFrame, axis: str, form: str, settings: FitSettings, metric: str = ALIGNMENT
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Fit a law for every family and benchmark of an axis. On the axes of pretraining, all families are fitted together as well.

    Return three tables: the fits; their curves (``x``, ``score``, ``low``, ``high``); and the points with :func:`distances`.
    """
    names, of_models = {"axis": axis, "metric": metric}, axis in MODEL_AXES
    points = points_of(averaged_rows(table, settings), axis, metric)
    families = (
        law_families(points, axis) if of_models else [(str(name), rows) for name, rows in points.groupby("family", sort=False)]
    )
    clusters = MODEL_CLUSTERS if of_models else FRACTION_CLUSTERS
    laws = fit_families(families, axis, form, AXES[axis].scale, settings, clusters)
    curves = {}
    for (family, benchmark), law in laws.items():
        farthest = max(BEYOND * law.x.max(), points["x"].max() if family == ALL else 0)
        curves[family, benchmark] = law.curve(law.x.min(), farthest)
    if not laws:
        why = no_law_because(points) if of_models else f"{len(points)} points are too few"
        log.warning("axis %s: no fit, because %s; figures show points only", axis, why)
    if of_models:
        points = points.join(distances(points, laws)).assign(**names)
    return fits_table(laws, **names), stacked(curves, ("x", "score", "low", "high"), **names), points


def distances(points: pd.DataFrame, laws: Laws) -> pd.DataFrame:
    """Measure the distance of models from the law of all families. Held-out models should be close to it.

    ``residual`` is the score minus ``predicted``. ``residual_half_widths`` is the residual divided by half the width of the 95 %
    band: it shows whether the law could be wrong by this much. ``residual_spreads`` is the residual divided by the robust
    standard deviation of the residuals of the fitted models: it shows whether a fitted model could be this far away.
    """
    found = pd.DataFrame(np.nan, points.index, DISTANCES)
    for benchmark, models in points.groupby("benchmark_name"):
        law, x = laws.get((ALL, str(benchmark))), models["x"].to_numpy()
        if law is None:
            continue
        predicted, (low, high) = law.fit.predict(x), law.fit.band(x)
        residual = models["score"].to_numpy() - predicted
        spread = NORMAL * np.median(np.abs(law.score - law.fit.predict(law.x)))
        found.loc[models.index] = np.stack([predicted, residual, residual / ((high - low) / 2), residual / spread], axis=1)
    return found


def fit_families(
    families: Iterable[tuple[str, pd.DataFrame]],
    axis: str,
    form: str,
    x_scale: float | tuple[float, float],
    settings: FitSettings,
    clusters: dict[str, list[str]],
    x: Sequence[str] = ("x",),
) -> Laws:
    """Fit a law for every family and benchmark. Laws with too few points for the form or with a single X are left out.

    ``clusters`` has the columns that identify a configuration, and those that identify an architecture. The cross-validation of
    the form ``auto`` keeps models of an architecture together. In a family of one architecture, it keeps models of a
    configuration together.
    """
    needed = POINTS_PER_PARAMETER * len(FORMS["offset" if form == "auto" else form])
    laws = {}
    for family, members in families:
        for benchmark, points in members.groupby("benchmark_name", sort=False):
            name = f"{axis}/{family}/{benchmark}"
            if len(points) < needed:
                log.info("%s: no fit, %d points are fewer than the %d that the %s form needs", name, len(points), needed, form)
                continue
            if (points[list(x)].nunique() == 1).any():
                log.info("%s: no fit, %s does not vary", name, " or ".join(x))
                continue
            unit, labels = cluster_labels(points, settings.bootstrap_unit, clusters)
            law = fit_law(
                points[list(x)].to_numpy().squeeze(),
                points["score"].to_numpy(),
                form=form,
                x_scale=x_scale,
                delta=settings.delta,
                bootstraps=settings.bootstraps,
                seed=settings.seed,
                bootstrap_unit=unit,
                clusters=labels.to_numpy(),
                experiment=name,
                names=points["model_id"].tolist() if "model_id" in points else (),
            )
            if benchmark == AVERAGE and (lacking := incomplete(points, "model_id")):
                law.row["warnings"] = "; ".join(filter(None, [law.row["warnings"], lacking]))
            laws[family, str(benchmark)] = law
            log.info("%s: loss %.6f, E %.3f from %d points", name, law.row["loss"], law.row["E"], law.row["n"])
            if law.row["warnings"]:
                log.warning("%s: %s", name, law.row["warnings"])
    return laws


def cluster_labels(points: pd.DataFrame, unit: str, clusters: dict[str, list[str]]) -> tuple[str, pd.Series]:
    """Return the unit of the bootstrap, and a label for each point. Cross-validation keeps points with the same label together.

    If single rows are resampled, cross-validation still keeps architectures together.
    """
    labels = {kind: points.groupby(columns, dropna=False).ngroup() for kind, columns in clusters.items()}
    kind = "architecture" if unit == "row" else unit
    kind = kind if labels[kind].nunique() > 1 else "config"
    return ("row" if unit == "row" else kind), labels[kind]


def fits_table(laws: Laws, **names: str) -> pd.DataFrame:
    """Collect laws in one table, with one row per law.

    The columns are ``names``, ``family``, ``benchmark_name`` and the columns of :func:`cortexscale.scaling.fit.fit_law`.
    """
    rows = [{**names, "family": family, "benchmark_name": benchmark, **law.row} for (family, benchmark), law in laws.items()]
    return pd.DataFrame(rows, columns=None if rows else [*names, "family", "benchmark_name", "warnings"])


def stacked(tables: dict[tuple[str, str], pd.DataFrame], empty: Sequence[str], **names: str) -> pd.DataFrame:
    """Stack tables of families and benchmarks, with columns for both. Without tables, the result has the columns ``empty``."""
    if not tables:
        return pd.DataFrame(columns=[*names, "family", "benchmark_name"]).assign(**dict.fromkeys(empty, 0.0))
    named = [table.assign(**names, family=family, benchmark_name=name) for (family, name), table in tables.items()]
    return pd.concat(named, ignore_index=True)
