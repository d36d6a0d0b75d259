"""Costs of all jobs of a study on one machine."""

from dataclasses import dataclass

from cortexscale.plan.finetuning_costs import FinetuningCosts
from cortexscale.plan.fit_costs import FitCosts
from cortexscale.plan.mapping_costs import MappingCosts
from cortexscale.plan.pretraining_costs import PretrainingCosts


@dataclass(frozen=True)
class StudyCosts:
    """Costs of the jobs of every stage; None for stages that the study does not have."""

    pretraining: PretrainingCosts
    mapping: MappingCosts | None
    finetuning: FinetuningCosts | None
    fits: FitCosts
