"""Time, memory and disk of fine-tuning: heads on base models, and the trainings. Scores are reckoned as those of other models."""

import json
from functools import cache

from cortexscale.estimate.costs import distinct_layers, gram_seconds, ridge_seconds
from cortexscale.estimate.machine import Machine
from cortexscale.estimate.sizes import Sizes
from cortexscale.estimate.stage import Stage
from cortexscale.finetuning.cost import StepSize, epoch_steps, step_bytes, step_seconds


class FinetuningEstimate:
    """The section ``finetuning`` of a plan, which has one, on a machine."""

    def __init__(self, sizes: Sizes, machine: Machine):
        self.sizes, self.machine, self.plan, self.tuned = sizes, machine, sizes.plan, sizes.plan.finetuning

    def heads(self) -> Stage:
        seconds, disk, mb, ridge = [], 0.0, 0, self.plan.study.ridge
        for base, dataset in self.tuned.headed:
            width, network, kernels = self.sizes.activations(base), self.sizes.networks[base], self.sizes.kernels(dataset)
            layers = self._layers(base, self.tuned.headed[base, dataset])
            images = sum(kernel.n_train + kernel.n_test for kernel in kernels)
            total = images * (1 / self.machine.images + network.flops / self.machine.forward)
            total += 4 * images * layers * width / self.machine.disk_write  # as a folder, then as one file
            for kernel in kernels:
                n, grid = kernel.n_train, ridge.alphas
                gram = gram_seconds(self.machine, ridge.precision, n + kernel.n_test, width)
                fit = ridge_seconds(
                    self.machine, ridge.precision, n, kernel.units, grid.count, search=grid.search, n_test=kernel.n_test
                )
                weights = 2 * n * width * kernel.units / self.machine.gemm(ridge.precision)
                total += layers * (gram + fit + weights) + 4 * width * kernel.units / self.machine.disk_write
                disk += 4 * width * kernel.units
            seconds.append(self.machine.start_network + total)
            mb = max(mb, self.tuned.heads_mb(dataset))
        formula = (
            "start_network + N (1 / images + FLOPs / forward) + 4 N d / disk_write per layer, N images shown; kernels and ridge "
            "as in alignment, 2 n d T / gemm for the weights; disk: 4 d T, d activations, T units at most"
        )
        return Stage("finetuning_heads", seconds, mb, disk, formula)

    def finetune(self) -> Stage:
        seconds, disk, largest = [], 0.0, 0.0
        rates = {"forward": self.machine.forward, "gemm": self.machine.gemm_float32, "images": self.machine.images}
        for model in self.tuned.models:
            recipe, size = self.tuned.recipe(model), self._step(model)
            steps = recipe.epochs * epoch_steps(self._samples(model), recipe.neural_batch)
            seconds.append(self.machine.start_network + steps * step_seconds(size, **rates))
            disk += 4 * size.params
            largest = max(largest, step_bytes(size, half=True))
        mb = max(self.tuned.mb(model) for model in self.tuned.models)
        formula = (
            "start_network + steps x max(pictures / images, 3 FLOPs x pictures / forward + 4 d T trials / gemm_float32); "
            "pictures of a step: labelled images and distinct stimuli; d x T weights of all heads, at most; the validation "
            f"before and after is not counted. The largest step takes {largest / 1e9:,.1f} GB of a GPU (micro_batch makes it "
            "smaller); disk: 4 per parameter"
        )
        return Stage("finetune", seconds, mb, disk, formula)

    def _samples(self, model: str) -> int:
        """Stimuli of a subject that a model is fitted to."""
        tuning = self.tuned.tunings[model]
        return int(self.sizes.kernels(tuning.dataset)[0].n_train * tuning.percent / 100)

    def _step(self, model: str) -> StepSize:
        """One step of a training. Units are those of the whole dataset: which of them a ROI has is not known before the data."""
        tuning, recipe = self.tuned.tunings[model], self.tuned.recipe(model)
        params, activations = trained_network(json.dumps(self.tuned.base(model).as_dict()))
        kernels, width = self.sizes.kernels(tuning.dataset), self.sizes.activations(tuning.base)
        everyone = len(self.plan.data.subjects_scored(tuning.dataset))
        subjects = tuning.subjects or everyone
        trials = min(self._samples(model), recipe.neural_batch)
        return StepSize(
            params=params,
            trainable=params,
            flops=self.sizes.networks[tuning.base].flops,
            activations=activations,
            features=width * self._layers(tuning.base, tuning.rois),
            head_weights=width * sum(kernel.units for kernel in kernels) * subjects / everyone,
            images=recipe.image_batch if recipe.lambda_img else 0,
            trials=trials,
            stimuli=trials * (1 if len(kernels) == 1 else subjects),
            at_a_time=recipe.micro_batch,
        )

    def _layers(self, base: str, rois: set[str] | tuple[str, ...]) -> float:
        return distinct_layers(self.sizes.layers(base), len(rois))


@cache
def trained_network(entry: str) -> tuple[int, int]:
    """Parameters of an inventory entry (JSON), and the numbers that a picture leaves for its backward pass."""
    from cortexscale.finetuning.activations import saved_activations
    from cortexscale.models.build import untrained

    backbone, picture = untrained(json.loads(entry))
    return sum(parameter.numel() for parameter in backbone.network.parameters()), saved_activations(backbone, picture)
