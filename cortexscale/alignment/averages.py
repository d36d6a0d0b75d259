"""Averages of scores over subjects, ROIs, seeds and benchmarks. Every figure, table and fit uses these functions."""

from collections.abc import Sequence

import pandas as pd

from cortexscale.alignment.super_rois import COMPOSITE_ROIS
from cortexscale.catalogue.metrics import ALIGNMENT

AVERAGE = "average"
"""Value of ``benchmark_name`` for the mean over benchmarks."""


def mean_scores(
    rows: pd.DataFrame,
    by: Sequence[str],
    metric: str = ALIGNMENT,
    *,
    composite_rois: bool,
    levels: Sequence[str] = ("subject", "roi"),
) -> pd.DataFrame:
    """Average a metric over one level after the other, or over all rows at once if ``levels`` is empty.

    Within a level, all values have equal weight. Rows that differ only in other columns, such as the seed, are averaged
    together with the first level. ROIs that contain other ROIs are used only with ``composite_rois``, as in the paper. The
    result has the columns ``by`` and ``score``. Its rows have the order in which their groups occur in ``rows``.
    """
    means = rows if composite_rois else rows[~rows["roi"].isin(COMPOSITE_ROIS)]
    for level in range(1, max(len(levels), 1) + 1):
        means = means.groupby([*by, *levels[level:]], sort=False, dropna=False)[metric].mean().reset_index()
    return means.rename(columns={metric: "score"})


def benchmark_means(rows: pd.DataFrame, key: str, metric: str = ALIGNMENT, *, composite_rois: bool) -> pd.DataFrame:
    """Average over subjects and then over ROIs, for every ``key`` and benchmark. The last rows are means over benchmarks."""
    scores = mean_scores(rows, [key, "benchmark_name"], metric, composite_rois=composite_rois)
    return pd.concat([scores, over_benchmarks(scores, [key])], ignore_index=True)


def over_benchmarks(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Average scores over benchmarks. The result has the columns ``by`` and ``score``; its ``benchmark_name`` is ``average``."""
    return scores.groupby(list(by), sort=False)["score"].mean().reset_index().assign(benchmark_name=AVERAGE)
