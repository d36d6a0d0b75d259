"""The scaling fits of a study: the axis and the metric that a fit is named by, its table and its settings."""

from cortexscale.catalogue.axes import AXES, Form
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED
from cortexscale.study import Study
from cortexscale.study.fits import FitSettings

FIT = rf"(?:{'|'.join(AXES)})(?:\.(?:{'|'.join(metric for metric in FITTED if metric != ALIGNMENT)}))?"
"""The names of fits, ``compute`` or ``compute.rsa_c_test``, as a regular expression."""


class FitPlan:
    """The section ``fits`` of a study."""

    def __init__(self, study: Study):
        self.results, self.settings = study.results, study.fits

    def table(self, fit: str) -> str:
        """Return the path of the result table that a fit reads."""
        return f"{self.results}/tables/{AXES[self.axis(fit)].table}.parquet"

    def axis(self, fit: str) -> str:
        """Return the axis that a fit is named by."""
        return fit.partition(".")[0]

    def metric(self, fit: str) -> str:
        """Return the score that a fit is named by."""
        return fit.partition(".")[2] or ALIGNMENT

    def form(self, fit: str) -> Form:
        """Return the form of the laws of a fit."""
        return self.settings.axes[self.axis(fit)]

    def resampling(self, fit: str | None = None) -> FitSettings:
        """Return how points are averaged, fitted and resampled; without a fit, on axes that have no settings of their own."""
        values = {key: getattr(self.settings, key) for key in FitSettings.model_fields}
        delta = {"delta": getattr(self.settings, AXES[self.axis(fit)].delta)} if fit else {}
        return FitSettings(**values | delta)
