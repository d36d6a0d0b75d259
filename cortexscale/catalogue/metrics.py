"""Metrics: the scores of a subject and ROI that result tables have, one column each. ``docs/tables.md`` defines them."""

ALIGNMENT = "pearsonr_nc"
"""The metric of the paper, alignment S. A fit or figure that names no metric shows this one."""

SIMILARITY = {"rsa_c_test": "cRSA", "rsa_ve_test": "veRSA", "cka_c_test": "cCKA", "cka_ve_test": "veCKA"}
PLS = {"pls": "Pearson r of PLS", "pls_nc": "noise-normalised r of PLS"}
METRICS = {
    ALIGNMENT: "noise-normalised r",
    "pearsonr": "Pearson r",
    **SIMILARITY,
    **PLS,
    "cv_score": "noise-normalised r, cross-validated",
}
"""Metric -> its name on figures and pages."""

FITTED = tuple(name for name in METRICS if name != "cv_score")
"""Metrics of the test stimuli: scaling laws are fitted to them, and the explore page offers them."""
