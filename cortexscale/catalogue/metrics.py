"""Metrics: the scores that result tables have, one column each."""

from dataclasses import dataclass

UNBOUNDED = (float("-inf"), float("inf"))
CORRELATION = (-1.0, 1.0)


@dataclass(frozen=True)
class Metric:
    """A score of one subject and ROI.

    Attributes:
        label: its name on figures and pages.
        definition: how it is computed.
        range: smallest and largest possible value.
        split: stimuli that it is computed on: ``test``; ``train``, each predicted from the other folds; or ``folds`` of the
            training stimuli in the layer search.
    """

    label: str
    definition: str
    range: tuple[float, float] = CORRELATION
    split: str = "test"


ALIGNMENT = "pearsonr_nc"
"""The metric of the paper, alignment S. A fit or figure that names no metric shows this one."""

METRICS = {
    ALIGNMENT: Metric(
        "noise-normalised r",
        "Pearson r of every unit divided by the square root of its noise ceiling, then the mean over units",
        UNBOUNDED,
    ),
    "pearsonr": Metric("Pearson r", "Pearson r between predicted and recorded responses, mean over units"),
    "rsa_c_test": Metric("cRSA", "Spearman correlation of the correlation distances of features and of responses"),
    "rsa_ve_test": Metric("veRSA", "Spearman correlation of the correlation distances of predicted and of recorded responses"),
    "cka_c_test": Metric("cCKA", "unbiased linear CKA of features and responses"),
    "cka_ve_test": Metric("veCKA", "unbiased linear CKA of predicted and recorded responses"),
    "rsa_c_train": Metric("cRSA, training stimuli", "as rsa_c_test, on training stimuli", split="train"),
    "rsa_ve_train": Metric("veRSA, training stimuli", "as rsa_ve_test, on training stimuli", split="train"),
    "cka_c_train": Metric("cCKA, training stimuli", "as cka_c_test, on training stimuli", split="train"),
    "cka_ve_train": Metric("veCKA, training stimuli", "as cka_ve_test, on training stimuli", split="train"),
    "cv_score": Metric(
        "noise-normalised r, cross-validated",
        "as pearsonr_nc on held-out folds of the training stimuli, mean over folds",
        UNBOUNDED,
        "folds",
    ),
}
"""Column of the result tables -> metric."""

FITTED = tuple(name for name, metric in METRICS.items() if metric.split == "test")
"""Metrics that scaling laws are fitted to and that the explore page offers."""
