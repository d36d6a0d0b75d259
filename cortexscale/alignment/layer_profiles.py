"""Scores of layers along the depth of a network, and how well datasets agree on them (paper, appendix D)."""

import pandas as pd

from cortexscale.alignment.averages import mean_scores
from cortexscale.alignment.super_rois import super_roi
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.errors import InputError
from cortexscale.models.roles import reference_shown

TEST_METRICS = (ALIGNMENT, "rsa_c_test", "rsa_ve_test", "cka_c_test", "cka_ve_test")
"""Metrics of layers in published tables. Our layer search does not read the test split, and writes ``cv_score`` instead."""
_PLACE = "norm2"
_FEWEST = 6


def layer_metrics(layer_search: pd.DataFrame) -> list[str]:
    """List the metrics on test stimuli that a table has. If it has none, list the cross-validated score."""
    known = [metric for metric in TEST_METRICS if metric in layer_search and layer_search[metric].notna().any()]
    return known or ["cv_score"]


def layer_profiles(layer_search: pd.DataFrame, benchmark: str) -> pd.DataFrame:
    """Average the scores of one reference model over subjects at each layer. ``sem`` is the standard error.

    A transformer with six blocks or more is shown with one layer per block: the second normalisation. The parts of a block score
    differently, so a curve through all of them would zigzag. A benchmark without layer scores raises an InputError.
    """
    metrics, places = layer_metrics(layer_search), ["roi", "layer_name", "layer_position_normalized"]
    rows = layer_search.loc[layer_search["benchmark_name"] == benchmark, ["model_id", *places, *metrics]]
    if rows.empty:
        remedy = "search the layers of a reference model on this dataset, or ask for another figure"
        raise InputError("table layer_search", f"no layer scores on {benchmark}", "scores of a reference model", remedy)
    rows = rows[rows["model_id"] == reference_shown(rows)]
    once = rows[rows["layer_name"].str.endswith(_PLACE)]
    long = (once if once["layer_name"].nunique() >= _FEWEST else rows).melt([*places, "model_id"], metrics, var_name="metric")
    summary = long.groupby(["model_id", *places, "metric"], sort=False)["value"].agg(["mean", "sem"]).reset_index()
    return summary.sort_values("layer_position_normalized", kind="stable", ignore_index=True)


def layer_agreement(layer_search: pd.DataFrame, one: str, others: list[str]) -> pd.DataFrame:
    """Compare the layer scores on one dataset with the layer scores on other datasets, for each super-ROI that both datasets
    have.

    ``score`` and ``score_other`` are averaged over subjects and then over ROIs. ``rank`` and ``rank_other`` rank the layers of a
    model from 0 (best) to 1.
    """
    metric = layer_metrics(layer_search)[0]
    layer = ["model_id", "layer_name", "layer_position_normalized", "super_roi"]
    wanted = layer_search["benchmark_name"].isin([one, *others])
    columns = ["benchmark_name", *layer[:3], "roi", "subject", metric]
    rows = layer_search.loc[wanted, columns].dropna(subset=metric).copy()
    rows["super_roi"] = rows["roi"].map({roi: super_roi(roi) for roi in rows["roi"].unique()})
    scores = mean_scores(rows, ["benchmark_name", *layer], metric)
    of_model = scores.groupby(["benchmark_name", "model_id", "super_roi"])["score"]
    scores["rank"] = (of_model.rank(ascending=False) - 1) / (of_model.transform("size") - 1)
    first = scores[scores["benchmark_name"] == one].drop(columns="benchmark_name")
    second = scores[scores["benchmark_name"] != one]
    return first.merge(second, on=layer, suffixes=("", "_other")).assign(metric=metric)


def agreement_correlations(layers: pd.DataFrame) -> pd.DataFrame:
    """Correlate the ranks and the scores of two datasets over the layers of :func:`layer_agreement`.

    The columns are ``benchmark_name``, ``super_roi``, ``aspect`` (``rank`` or ``score``), Pearson's ``r`` and ``n``, the number
    of layers.
    """
    found = [
        (*key, aspect, rows[aspect].corr(rows[f"{aspect}_other"]), len(rows))
        for key, rows in layers.groupby(["benchmark_name", "super_roi"], sort=False)
        for aspect in ("rank", "score")
    ]
    return pd.DataFrame(found, columns=["benchmark_name", "super_roi", "aspect", "r", "n"])
