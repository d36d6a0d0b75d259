"""Scaling laws of every family x benchmark of an axis."""

import logging
from collections.abc import Iterable, Sequence

import pandas as pd

from cortexscale.kernels.power_law import FORMS
from cortexscale.scaling.fit import Law, fit_law
from cortexscale.study.fits import FitSettings

log = logging.getLogger(__name__)

POINTS_PER_PARAMETER = 3
"""Smallest number of points per parameter of a law. Fewer points do not determine the form in most bootstrap resamples."""

Laws = dict[tuple[str, str], Law]


def fit_families(
    families: Iterable[tuple[str, pd.DataFrame]],
    axis: str,
    form: str,
    x_scale: float | tuple[float, float],
    settings: FitSettings,
    clusters: dict[str, list[str]],
    x: Sequence[str] = ("x",),
) -> Laws:
    """Fit every family x benchmark. Those with too few points for the form, or with a single X, are left out.

    ``clusters`` are the columns that tell configurations and architectures apart. The cross-validation of the form ``auto``
    keeps architectures together; a family of one architecture takes configurations in their place.
    """
    needed = POINTS_PER_PARAMETER * len(FORMS["offset" if form == "auto" else form])
    laws = {}
    for family, members in families:
        for benchmark, points in members.groupby("benchmark_name", sort=False):
            name = f"{axis}/{family}/{benchmark}"
            if len(points) < needed:
                log.info("%s: no fit, %d points are fewer than the %d that the %s form wants", name, len(points), needed, form)
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
            )
            laws[family, str(benchmark)] = law
            log.info("%s: loss %.6f, E %.3f from %d points", name, law.row["loss"], law.row["E"], law.row["n"])
            if law.row["warnings"]:
                log.warning("%s: %s", name, law.row["warnings"])
    return laws


def cluster_labels(points: pd.DataFrame, unit: str, clusters: dict[str, list[str]]) -> tuple[str, pd.Series]:
    """Choose the unit of the bootstrap, and label the points that cross-validation keeps together.

    Where rows are resampled one by one, the labels are those of architectures nevertheless.
    """
    labels = {kind: points.groupby(columns, dropna=False).ngroup() for kind, columns in clusters.items()}
    kind = "architecture" if unit == "row" else unit
    kind = kind if labels[kind].nunique() > 1 else "config"
    return ("row" if unit == "row" else kind), labels[kind]


def fits_table(laws: Laws, **names: str) -> pd.DataFrame:
    """Put laws in one table: ``names``, ``family``, ``benchmark_name`` and the row of :func:`cortexscale.scaling.fit.fit_law`."""
    rows = [{**names, "family": family, "benchmark_name": benchmark, **law.row} for (family, benchmark), law in laws.items()]
    return pd.DataFrame(rows, columns=None if rows else [*names, "family", "benchmark_name", "warnings"])


def stacked(tables: dict[tuple[str, str], pd.DataFrame], empty: Sequence[str], **names: str) -> pd.DataFrame:
    """Stack tables of families and benchmarks, with their names. If there are none, the result has the columns ``empty``."""
    if not tables:
        return pd.DataFrame(columns=[*names, "family", "benchmark_name"]).assign(**dict.fromkeys(empty, 0.0))
    named = [table.assign(**names, family=family, benchmark_name=name) for (family, name), table in tables.items()]
    return pd.concat(named, ignore_index=True)
