"""What the rules of the scaling fits need to know: the axis and the metric that a fit is named by, its table and settings.

Like :mod:`cortexscale.plan` it imports nothing heavy.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortexscale.catalogue.axes import AXES
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED
from cortexscale.figures import FIGURES

if TYPE_CHECKING:
    from cortexscale.plan import Plan

FIT = rf"(?:{'|'.join(AXES)})(?:\.(?:{'|'.join(metric for metric in FITTED if metric != ALIGNMENT)}))?"
"""The names of fits, ``compute`` or ``compute.rsa_c_test``, as a regular expression."""


class FitPlan:
    """The section ``fits`` of a study."""

    def __init__(self, plan: "Plan"):
        self.plan, self.settings = plan, plan.study.fits

    def table(self, fit: str) -> str:
        """The result table that a fit reads."""
        return f"{self.plan.results}/tables/{AXES[fit.split('.')[0]].table}.parquet"

    def job(self, fit: str) -> dict[str, Any]:
        """Arguments of :func:`cortexscale.scaling.laws.fit_axis`, but for the table."""
        axis, _, metric = fit.partition(".")
        return {
            "axis": axis,
            "form": self.settings.axes[axis],
            "settings": self.resampling | {"delta": getattr(self.settings, AXES[axis].delta)},
            "metric": metric or ALIGNMENT,
        }

    @property
    def resampling(self) -> dict[str, Any]:
        """How points are averaged, fitted and resampled, on whatever axis."""
        return self.settings.model_dump(exclude={"axes", "finetuning_delta"})

    @property
    def wanted(self) -> list[str]:
        """The fits of result tables that the figures and tables of the study read."""
        paths = [path for figure in self.plan.study.figures for path in FIGURES[figure].tables.values()]
        names = [Path(path).name.removesuffix(".parquet") for path in paths if path.startswith("fits/")]
        names += ["mapping"] if self.plan.mapping else []
        names = dict.fromkeys(name.removesuffix(".points").removesuffix(".curves") for name in names)
        return [name for name in names if name != "spvvs"]
