"""Metrics: kinds of scores of a subject and ROI.

Each metric is a column of result tables. ``docs/tables.md`` defines the metrics.
"""

ALIGNMENT = "pearsonr_nc"
"""The metric of the paper, alignment S. Fits and figures use it unless they name another metric."""

CALIBRATED = "score_calibrated"
"""Alignment in units of what a perfect model would score on the same noisy responses of the same selected units."""

TRUE = "score_true"
"""Pearson r of predictions with the noise-free responses. Only simulated recordings have it."""

SIMILARITY = {"rsa_c_test": "cRSA", "rsa_ve_test": "veRSA", "cka_c_test": "cCKA", "cka_ve_test": "veCKA"}
PLS = {"pls": "Pearson r of PLS", "pls_nc": "noise-normalised r of PLS"}
METRICS = {
    ALIGNMENT: "noise-normalised r",
    CALIBRATED: "calibrated score",
    "pearsonr": "Pearson r",
    TRUE: "r with noise-free responses",
    **SIMILARITY,
    **PLS,
    "cv_score": "noise-normalised r, cross-validated",
}
"""Metric -> name in figures and pages."""

FITTED = tuple(name for name in METRICS if name != "cv_score")
"""Metrics that are computed on test stimuli. Scaling laws are fitted to these metrics, and the explore page offers them."""
