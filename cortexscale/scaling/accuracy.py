"""Relation of task accuracy and alignment for models that were trained on labels (paper, section 4.10 and appendix F)."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, pearsonr

from cortexscale.alignment.averages import benchmark_means, mean_scores
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.models.roles import families, kinds

BOOTSTRAPS = 1000
HIGH_ACCURACY = 0.4
"""Top-1 accuracy, as a fraction, above which alignment grows more slowly with accuracy."""
_FEWEST = 3
"""Smallest number of models for which a correlation is computed."""
_MODEL = ["model_id", "backbone_arch_family", "pretraining_dataset", "task_evaluation_acc"]


def supervised(pretraining: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of models to which scaling laws are fitted and whose accuracy is known."""
    return pretraining[(kinds(pretraining) == "fitted") & pretraining["task_evaluation_acc"].notna()]


def accuracy_scores(pretraining: pd.DataFrame, metric: str = ALIGNMENT) -> pd.DataFrame:
    """Average the scores of supervised models on each benchmark and over all benchmarks.

    A family of flexible width belongs to the family of which it is a variant.
    """
    rows = supervised(pretraining)
    models = rows[_MODEL].drop_duplicates("model_id")
    models = models.assign(backbone_arch_family=families(models))
    means = benchmark_means(rows, "model_id", metric).dropna(subset="score")
    return models.merge(means, on="model_id", validate="one_to_many")


def roi_scores(pretraining: pd.DataFrame, metric: str = ALIGNMENT) -> pd.DataFrame:
    """Average the scores of supervised models over subjects in every ROI.

    The result has the columns of :func:`accuracy_scores` and ``roi``.
    """
    rows = supervised(pretraining)
    by = [*_MODEL, "benchmark_name", "roi"]
    scores = mean_scores(rows, by, metric, levels=("subject",)).dropna(subset="score")
    return scores.assign(backbone_arch_family=families(scores))


def correlations(scores: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Correlate alignment with accuracy in every group of models (paper, appendix F).

    Groups of fewer than three models are left out. Groups in which accuracy or alignment does not vary are left out as well.
    ``low`` and ``high`` are the 95 % interval of Pearson's ``r``: percentiles of 1,000 resamples of the models with seed 0.
    ``p_fdr`` is the two-sided ``p``, corrected over all rows of the table by the method of Benjamini and Hochberg.
    """
    found = []
    for key, group in scores.dropna(subset="score").groupby(by, sort=False):
        accuracy, score = group["task_evaluation_acc"].to_numpy(float), group["score"].to_numpy(float)
        if len(group) < _FEWEST or np.ptp(accuracy) == 0 or np.ptp(score) == 0:
            continue
        test = pearsonr(accuracy, score)
        slope = test.statistic * score.std() / accuracy.std()
        line = (slope, score.mean() - slope * accuracy.mean())
        found.append((*key, test.statistic, *bootstrap_interval(accuracy, score), *line, test.pvalue, len(group)))
    table = pd.DataFrame(found, columns=[*by, "r", "low", "high", "slope", "intercept", "p", "n"])
    return table.assign(p_fdr=false_discovery_control(table["p"]) if len(table) else table["p"])


def bootstrap_interval(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of Pearson's r of two vectors. Pairs are resampled. Resamples in which a vector is
    constant do not count.
    """
    drawn = np.random.default_rng(0).integers(len(x), size=(BOOTSTRAPS, len(x)))
    x, y = (values[drawn] - values[drawn].mean(axis=1, keepdims=True) for values in (x, y))
    with np.errstate(invalid="ignore"):
        r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    low, high = np.nanpercentile(r, (2.5, 97.5))
    return float(low), float(high)
