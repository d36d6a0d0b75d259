"""The result tables of a study."""

from typing import Any

from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.mapping import MappingPlan
from cortexscale.published import FILES
from cortexscale.study import Study


class TablePlan:
    """Names the tables that a study makes.

    Args:
        study: the study.
        alignment: its alignment.
        mapping: its mapping axis, if it has one.
        finetuning: its fine-tuning, if it has any.
    """

    def __init__(self, study: Study, alignment: AlignmentPlan, mapping: MappingPlan | None, finetuning: FinetuningPlan | None):
        self.study, self.alignment, self.mapping, self.finetuning = study, alignment, mapping, finetuning

    @property
    def names(self) -> list[str]:
        """The tables that ``snakemake`` makes: ``tables/<name>.parquet``."""
        if self.study.published:
            return [*FILES, "table2", "tableS4"]
        if not self.study.datasets:
            return []
        searched = ["layer_search"] if self.alignment.searched else []
        projected = ["projection"] if self.study.projection_study else []
        mapped = ["mapping", "table2", "tableS4"] if self.mapping else []
        tuned = ["finetuning"] if self.finetuning else []
        return ["pretraining", *searched, *projected, "datasets", "models", *mapped, *tuned, *self.hyperparameters]

    @property
    def hyperparameters(self) -> dict[str, dict[str, Any]]:
        """Table of hyper-parameters -> arguments of :mod:`cortexscale.hyperparameters`."""
        mapped = self.mapping.hyperparameters if self.mapping else {}
        return mapped | (self.finetuning.hyperparameters if self.finetuning else {})
