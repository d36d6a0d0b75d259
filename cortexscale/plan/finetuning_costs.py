"""Costs of the jobs of fine-tuning on one machine."""

from functools import cache

from cortexscale.alignment.bounds import unprojected_alignment
from cortexscale.costs.cost import Cost
from cortexscale.costs.machine import Machine
from cortexscale.finetuning.bounds import StepSize, finetuning, heads
from cortexscale.finetuning.epochs import epoch_steps
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.sizes import Sizes


class FinetuningCosts:
    """Costs of the jobs of fine-tuning. A method has the name of a rule, and its arguments are the wildcards of the rule."""

    def __init__(self, plan: FinetuningPlan, sizes: Sizes, machine: Machine):
        self.plan, self.sizes, self.machine = plan, sizes, machine

    @cache  # noqa: B019 (few of these per process)
    def finetuning_heads(self, model: str, dataset: str) -> Cost:
        """Fitting heads to one base model."""
        network, size = self.sizes.network(model), self.sizes.dataset(dataset)
        layers = self.sizes.committed_layers(network.layers, len(self.plan.headed[model, dataset]))
        extraction = self.sizes.extraction(network, layers, size.images * len(size.kernels))
        return heads(self.machine, size, extraction, self.sizes.study.ridge)

    @cache  # noqa: B019 (few of these per process)
    def finetune(self, model: str) -> Cost:
        """Training one model."""
        tuning, recipe, base = self.plan.tunings[model], self.plan.recipe(model), self.plan.base(model)
        size = self.sizes.dataset(tuning.dataset)
        return finetuning(
            self.machine,
            self.sizes.network(base.id),
            self.step(model),
            steps=recipe.epochs * epoch_steps(self._samples(model), recipe.neural_batch),
            responses=size.response_bytes,
            image_arrays=self.sizes.image_arrays(base.id),
        )

    def step(self, model: str, activations: float = 0) -> StepSize:
        """One step of a training. Units are those of the whole dataset: which of them a ROI has is not known before the data.

        Args:
            activations: numbers that an image leaves for the backward pass.
        """
        tuning, recipe = self.plan.tunings[model], self.plan.recipe(model)
        network, size = self.sizes.network(tuning.base), self.sizes.dataset(tuning.dataset)
        subjects, trials = tuning.subjects or len(size.units), min(self._samples(model), recipe.neural_batch)
        units = sum(kernel.units for kernel in size.kernels) * subjects / len(size.units)
        return StepSize(
            params=network.parameters,
            trainable=network.parameters,
            flops=network.flops,
            activations=activations,
            features=network.width * self.sizes.committed_layers(network.layers, len(tuning.rois)),
            head_weights=network.width * units,
            images=recipe.image_batch if recipe.lambda_img else 0,
            trials=trials,
            stimuli=trials * (1 if len(size.kernels) == 1 else subjects),
            at_a_time=recipe.micro_batch,
        )

    def _samples(self, model: str) -> int:
        """Stimuli of a subject that a model is fitted to."""
        tuning = self.plan.tunings[model]
        return int(self.sizes.dataset(tuning.dataset).kernels[0].n_train * tuning.percent / 100)

    @cache  # noqa: B019 (few of these per process)
    def finetuned_alignment(self, stimuli: str, model: str) -> Cost:
        """Scoring one fine-tuned model or a base model."""
        network, names = self.sizes.network(self.plan.base(model).id), self.plan.benchmarks_on(stimuli)
        extraction = self.sizes.extraction(network, self.sizes.committed(names, network), self.sizes.images(stimuli))
        return unprojected_alignment(self.machine, self.sizes.scoring(stimuli, names, network), extraction)
