"""Costs of the scaling fits of a study on one machine."""

from cortexscale.costs.cost import Cost
from cortexscale.costs.machine import Machine
from cortexscale.models.spvvs import checkpoints
from cortexscale.plan.data import DataPlan
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.scaling.bounds import scaling_fit
from cortexscale.study import Study

PUBLISHED_EXPERIMENTS, PUBLISHED_POINTS = 43, 300
"""Experiments of the published score table, and points of each."""
PUBLISHED_READOUTS = 18 * 27
"""Points of the published mapping table: three readouts of six datasets, nine percentages, three seeds."""


class FitCosts:
    """Costs of scaling fits. A method has the name of a rule, and its arguments are the wildcards of the rule."""

    def __init__(self, study: Study, data: DataPlan, models: ModelPlan, finetuning: FinetuningPlan | None, machine: Machine):
        self.study, self.data, self.models, self.finetuning, self.machine = study, data, models, finetuning, machine

    def fit(self, fit: str) -> Cost:
        """Fitting the laws of one axis."""
        return scaling_fit(self.machine, self._points(fit), self.study.fits.bootstraps)

    def fit_scores(self) -> Cost:
        """Fitting the published score table."""
        assert self.study.scores is not None
        chosen = self.study.scores.experiments
        experiments = PUBLISHED_EXPERIMENTS if chosen == "all" else len(chosen)
        return scaling_fit(self.machine, experiments * PUBLISHED_POINTS, self.study.scores.bootstraps)

    def _points(self, fit: str) -> int:
        mapping, averages = self.study.mapping, len(self.data.labels) + 1
        match fit.split(".")[0]:
            case "mapping" if mapping:
                readouts = len(mapping.readouts) * len(mapping.datasets)
                return readouts * len(mapping.percent) * len(mapping.seeds)
            case "mapping":
                return PUBLISHED_READOUTS
            case "finetuning" if self.finetuning:
                return len(self.finetuning.finetuned) * averages
        fitted = len(self.models.fitted)
        return 2 * averages * (sum(1 for _ in checkpoints()) if self.study.published else fitted)
