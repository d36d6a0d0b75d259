"""Costs of the jobs of the mapping axis on one machine."""

from functools import cache

from cortexscale.costs.cost import Cost
from cortexscale.costs.machine import Machine
from cortexscale.models.bounds import Network
from cortexscale.plan.mapping import MappingPlan
from cortexscale.plan.sizes import Sizes
from cortexscale.readouts import bounds


class MappingCosts:
    """Costs of the jobs of the mapping axis. A method has the name of a rule, and its arguments are the wildcards of the rule."""

    def __init__(self, plan: MappingPlan, sizes: Sizes, machine: Machine):
        self.plan, self.settings, self.sizes, self.machine = plan, plan.settings, sizes, machine

    @property
    def network(self) -> Network:
        """Sizes of the network that all readouts read."""
        return self.sizes.network(self.plan.model)

    def tokens(self, stimuli: str) -> Cost:
        """Extracting the tokens of one stimulus set."""
        read = [self.sizes.dataset(name) for name in self.plan.datasets_on(stimuli)]
        images = min(self.sizes.images(stimuli), sum(size.images * len(size.kernels) for size in read))
        layers = self.sizes.committed(self.sizes.data.datasets_on(stimuli), self.network)
        return bounds.tokens(self.machine, self.sizes.extraction(self.network, layers, images))

    @cache  # noqa: B019 (few of these per process)
    def mapping(self, dataset: str, readout: str) -> Cost:
        """Fitting one readout to all percentages of one dataset."""
        size = bounds.Fits(
            dataset=self.sizes.dataset(dataset),
            network=self.network,
            committed=self.sizes.committed([dataset], self.network),
            percent=self.settings.percent,
            seeds=len(self.settings.seeds),
            save=self.settings.save,
        )
        recipe = self.plan.recipe(dataset, readout)
        if recipe is None:
            return bounds.linear_readouts(self.machine, size, self.sizes.study.ridge)
        return bounds.trained_readouts(self.machine, size, recipe)
