"""Time, memory and disk of the mapping axis: tokens, and readouts of all fractions and seeds."""

from cortexscale.estimate.costs import gram_seconds, ridge_seconds
from cortexscale.estimate.machine import Machine
from cortexscale.estimate.sizes import Kernel, Sizes
from cortexscale.estimate.stage import Stage

_PRODUCTS = {"attention": 18}
"""Operations per activation and channel of a trained trunk, forward and backward: tokens are projected three times (once, then
to keys and values), in other readouts once, which is 6."""


class MappingEstimate:
    """The section ``mapping`` of a plan, which has one, on a machine."""

    def __init__(self, sizes: Sizes, machine: Machine):
        self.sizes, self.machine, self.plan, self.mapping = sizes, machine, sizes.plan, sizes.plan.mapping
        self.settings = self.mapping.settings
        self.network = sizes.networks[self.mapping.model]
        self.width = sizes.activations(self.mapping.model)

    def tokens(self) -> Stage:
        seconds, disk = [], 0.0
        for stimuli in self.mapping.stimuli:
            shown = [k.n_train + k.n_test for name in self.mapping.datasets_on(stimuli) for k in self.sizes.kernels(name)]
            images = min(self.sizes.images(stimuli), sum(shown))
            written = 2 * images * self.sizes.committed(stimuli, self.mapping.model) * self.width
            per_image = 1 / self.machine.images + self.network.flops / self.machine.forward
            seconds.append(self.machine.start_network + images * per_image + written / self.machine.disk_write)
            disk += written
        mb = max(self.mapping.tokens_mb(stimuli) for stimuli in self.mapping.stimuli)
        formula = (
            "start_network + N (1 / images + FLOPs / forward) + written / disk_write, N images shown; disk: 2 N d per "
            "committed layer of d activations"
        )
        return Stage("tokens", seconds, mb, disk, formula)

    def readouts(self) -> Stage:
        seconds, disk, mb = [], 0.0, 0
        for dataset in self.settings.datasets:
            kernels = self.sizes.kernels(dataset)
            for readout in self.settings.readouts:
                recipe = self.mapping.recipe(dataset, readout)
                each = (self._linear if recipe is None else self._trained)(dataset, kernels, recipe)
                seconds.append(self.machine.start_network + each)
                mb = max(mb, self.mapping.mb(dataset, readout))
                if recipe is None and self.settings.save:
                    disk += 4 * self.width * self.sizes.rois_per_unit(dataset) * sum(kernel.units for kernel in kernels)
        formula = (
            "start_network + linear: per committed layer a kernel as in layer_search, and ridge as in alignment for each "
            "fraction and seed of its stimuli; trained: images seen x (ROIs x 6 d w / forward, attention 18 d w, + layers x "
            "2 d / disk_read), w channels of the readout; disk: 4 d per unit and ROI of the linear readout"
        )
        return Stage("mapping", seconds, mb, disk, formula)

    def _linear(self, dataset: str, kernels: list[Kernel], recipe: None) -> float:
        ridge, layers = self.plan.study.ridge, self.sizes.committed_by(dataset, self.mapping.model)
        units_of = min(layers, self.sizes.rois_per_unit(dataset)) / layers
        total = 0.0
        for kernel in kernels:
            total += gram_seconds(self.machine, ridge.precision, kernel.n_train + kernel.n_test, self.width)
            for percent in self.settings.percent:
                n, grid = int(kernel.n_train * percent / 100), ridge.alphas
                how = {"search": grid.search, "n_test": kernel.n_test}
                repeats = 1 if percent == 100 else len(self.settings.seeds)
                each = ridge_seconds(self.machine, ridge.precision, n, kernel.units * units_of, grid.count, **how)
                total += repeats * each
        return layers * total

    def _trained(self, dataset: str, kernels: list[Kernel], recipe: dict) -> float:
        share = sum(self.settings.percent) / 100 * len(self.settings.seeds)
        seen = recipe["epochs"] * share * kernels[0].n_train * len(self.plan.data.subjects_scored(dataset))
        operations = _PRODUCTS.get(recipe["readout"], 6) * self.width * recipe["width"] * len(self.sizes.rois(dataset))
        read = 2 * self.width * self.sizes.committed_by(dataset, self.mapping.model)
        return seen * (operations / self.machine.forward + read / self.machine.disk_read)
