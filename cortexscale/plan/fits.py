"""The scaling fits of a study: the axis and the metric that a fit is named by, its table and its settings."""

from typing import Any

from cortexscale.catalogue.axes import AXES
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED
from cortexscale.study import Study

FIT = rf"(?:{'|'.join(AXES)})(?:\.(?:{'|'.join(metric for metric in FITTED if metric != ALIGNMENT)}))?"
"""The names of fits, ``compute`` or ``compute.rsa_c_test``, as a regular expression."""


class FitPlan:
    """The section ``fits`` of a study."""

    def __init__(self, study: Study):
        self.results, self.settings = study.results, study.fits

    def table(self, fit: str) -> str:
        """Return the path of the result table that a fit reads."""
        return f"{self.results}/tables/{AXES[fit.split('.')[0]].table}.parquet"

    def job(self, fit: str) -> dict[str, Any]:
        """Return the arguments of :func:`cortexscale.scaling.laws.fit_axis` except the table."""
        axis, _, metric = fit.partition(".")
        return {
            "axis": axis,
            "form": self.settings.axes[axis],
            "settings": self.resampling | {"delta": getattr(self.settings, AXES[axis].delta)},
            "metric": metric or ALIGNMENT,
        }

    @property
    def resampling(self) -> dict[str, Any]:
        """The settings of averaging, fitting and resampling that all axes share."""
        return self.settings.model_dump(exclude={"axes", "finetuning_delta"})
