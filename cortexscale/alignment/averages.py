"""Averages of scores over subjects, ROIs, seeds and benchmarks. Every figure, table and fit uses these functions."""

import logging
from collections.abc import Sequence

import pandas as pd

from cortexscale.alignment.super_rois import COMPOSITE_ROIS
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.errors import InputError
from cortexscale.study.fits import AverageSettings

log = logging.getLogger(__name__)

AVERAGE = "average"
"""Value of ``benchmark_name`` for the mean over benchmarks."""
_ITEM = ("model_id", "probe_type")
"""Columns that identify the model or readout whose scores are averaged."""
_NAMED = 5
"""Largest number of models that a warning names."""


def averaged_rows(rows: pd.DataFrame, settings: AverageSettings) -> pd.DataFrame:
    """Select the rows of a result table that enter averages. Fits, figures and tables that average begin with this selection.

    ROIs that contain other ROIs are left out unless ``composite_rois`` is set, and models or readouts without a score on every
    benchmark are left out unless ``incomplete_models`` is set. If a benchmark has only such ROIs, these are kept. A table without
    ROIs is returned as it is. An InputError is raised if no model has a score on every benchmark.
    """
    if "roi" not in rows:
        return rows
    if not settings.composite_rois:
        composite = rows["roi"].isin(COMPOSITE_ROIS)
        rows = rows[~composite | composite.groupby(rows["benchmark_name"]).transform("all")]
    if not settings.incomplete_models:
        item = [column for column in _ITEM if column in rows]
        scored = rows[rows[ALIGNMENT].notna()] if ALIGNMENT in rows else rows
        benchmarks = scored.groupby(item)["benchmark_name"].nunique()
        complete = benchmarks.index[benchmarks == rows["benchmark_name"].nunique()]
        if len(rows) and complete.empty:
            found = f"no {' and '.join(item)} with a score on all {rows['benchmark_name'].nunique()} datasets"
            remedy = "score the missing datasets, or set `fits: {incomplete_models: true}`"
            raise InputError("config key fits.incomplete_models: false", found, "a complete model", remedy)
        rows = rows[rows.set_index(item).index.isin(complete)]
    return rows


def mean_scores(
    rows: pd.DataFrame, by: Sequence[str], metric: str = ALIGNMENT, *, levels: Sequence[str] = ("subject", "roi")
) -> pd.DataFrame:
    """Average a metric over one level after the other, or over all rows at once if ``levels`` is empty.

    Within a level, all values have equal weight. Rows that differ only in other columns, such as the seed, are averaged
    together with the first level. The result has the columns ``by`` and ``score``. Its rows have the order in which their groups
    occur in ``rows``.
    """
    means = rows
    for level in range(1, max(len(levels), 1) + 1):
        means = means.groupby([*by, *levels[level:]], sort=False, dropna=False)[metric].mean().reset_index()
    return means.rename(columns={metric: "score"})


def benchmark_means(rows: pd.DataFrame, key: str, metric: str = ALIGNMENT) -> pd.DataFrame:
    """Average over subjects and then over ROIs, for every ``key`` and benchmark. The last rows are means over benchmarks.

    ``n_benchmarks`` is the number of benchmarks behind a score.
    """
    scores = mean_scores(rows, [key, "benchmark_name"], metric)
    of_one = scores.assign(n_benchmarks=scores["score"].notna().astype(int))
    return pd.concat([of_one, over_benchmarks(scores, [key])], ignore_index=True)


def over_benchmarks(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Average scores over benchmarks.

    The result has the columns ``by``, ``score``, ``n_benchmarks`` and ``benchmark_name``, which is ``average``. A warning names
    the models or readouts without a benchmark that others have, because their averages are not comparable.
    """
    means = scores.groupby(list(by), sort=False)["score"].agg(score="mean", n_benchmarks="count").reset_index()
    if lacking := incomplete(means, by[0]):
        log.warning("%s", lacking)
    return means.assign(benchmark_name=AVERAGE)


def incomplete(means: pd.DataFrame, name: str) -> str:
    """Say which averages lack benchmarks that others have. ``name`` is the column with the names of the averages. If no average
    lacks one, return "".
    """
    most = means["n_benchmarks"].max()
    few = means[means["n_benchmarks"] < most]
    names = few[name].astype(str).drop_duplicates().tolist()
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    found = f"{len(few)} of {len(means)} averages over datasets lack some of the {most} datasets: "
    return found + ", ".join(names[:_NAMED]) + more if names else ""
