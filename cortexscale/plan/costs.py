"""The costs of all jobs of a study on one machine."""

from collections.abc import Sequence
from functools import cache

from cortexscale.alignment import bounds as alignment
from cortexscale.costs import Cost, Machine
from cortexscale.datasets import bounds as datasets
from cortexscale.features import bounds as features
from cortexscale.finetuning import bounds as finetuning
from cortexscale.models import bounds as models
from cortexscale.models.bounds import Network
from cortexscale.models.spvvs import checkpoints
from cortexscale.models.training.recipes import epoch_steps
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.mapping import MappingPlan
from cortexscale.plan.sizes import Sizes
from cortexscale.readouts import bounds as readouts
from cortexscale.scaling.bounds import scaling_fit

PUBLISHED_EXPERIMENTS, PUBLISHED_POINTS = 43, 300
"""Number of experiments of the published score table, and number of points of each experiment."""
PUBLISHED_READOUTS = 18 * 27
"""Number of points of the published mapping table: 3 readouts of 6 datasets, 9 percentages and 3 seeds."""


class Costs:
    """Costs of the jobs of a study.

    A method with the name of a rule returns the cost of one job of this rule. Its arguments are the wildcards of the rule.
    """

    def __init__(
        self,
        sizes: Sizes,
        machine: Machine,
        alignment: AlignmentPlan,
        mapping: MappingPlan | None = None,
        finetuning: FinetuningPlan | None = None,
    ):
        self.sizes, self.machine, self.study, self.data, self.models = sizes, machine, sizes.study, sizes.data, sizes.models
        self._alignment, self._mapping, self._finetuning = alignment, mapping, finetuning

    def preprocess(self, dataset: str, subject: str) -> Cost:
        n_train, n_test, most = self.data.shape(dataset, [subject])
        return datasets.preprocess(
            self.machine,
            released=self.sizes.released_bytes(dataset, subject),
            images=n_train + n_test,
            units=self.sizes.units_kept(dataset) or most,
            reader_mb=self.data.reading_mb(dataset),
        )

    def stimuli(self, stimuli: str) -> Cost:
        return datasets.stimulus_table(self.machine, self.sizes.images(stimuli))

    # ------------------------------------------------------------------------------------------ models

    def download_checkpoint(self, model: str) -> Cost:
        return models.checkpoint_download(self.machine, self.models.inventory[model], self.sizes.network(model))

    def train_backbone(self, model: str) -> Cost:
        return models.backbone_training(
            self.machine,
            self.sizes.network(model),
            images_seen=self.models.training_length(model).images_seen,
            gpus=self.study.training.gpus,
            arrays=self.sizes.image_arrays(model),
        )

    def model_cards(self) -> Cost:
        return models.model_cards(self.machine, len(self.models.references))

    # ------------------------------------------------------------------------------------------ features and alignment

    @property
    def dimensions(self) -> int | None:
        """Number of dimensions of stored features; None if exact kernels are stored instead."""
        return None if self._alignment.exact else self.study.features.projection.dimensions

    def features(self, stimuli: str, model: str) -> Cost:
        network = self.sizes.network(model)
        return self._stored(stimuli, network, self.sizes.committed(self.data.datasets_on(stimuli), network))

    def sweep_features(self, stimuli: str, model: str) -> Cost:
        network = self.sizes.network(model)
        return self._stored(stimuli, network, network.layers)

    def largest_sweep_mb(self, model: str) -> int:
        """Return the memory in MB for extracting all candidate layers of a model, for the stimulus set that needs most memory."""
        network = self.sizes.network(model)
        kernels = [self.sweep_features(stimuli, model).mb for stimuli in self.data.stimuli if self._alignment.exact]
        return max(self._extracted(network, network.layers, images=0).mb, *kernels, 0)

    @cache  # noqa: B019 (few Costs per process; hundreds of models share a network)
    def _stored(self, stimuli: str, network: Network, layers: float) -> Cost:
        images = self.sizes.images(stimuli)
        if not self._alignment.exact:
            return self._extracted(network, layers, images)
        kernels = self.sizes.scoring(stimuli, self.data.datasets_on(stimuli)).kernel_images()
        return self._extracted(network, layers, min(images, sum(kernels)), kernels)

    def _extracted(self, network: Network, layers: float, images: int, kernels: Sequence[int] = ()) -> Cost:
        size = self.sizes.extraction(network, layers, images, self.dimensions)
        if self._alignment.exact:
            return features.exact_kernels(self.machine, size, kernels)
        return features.projected_features(self.machine, size)

    @cache  # noqa: B019 (few Costs per process)
    def prepare_responses(self, stimuli: str) -> Cost:
        return alignment.prepared_responses(self.machine, self.sizes.scoring(stimuli, self.data.datasets_on(stimuli)))

    @cache  # noqa: B019 (few Costs per process)
    def layer_search(self, stimuli: str, model: str) -> Cost:
        network = self.sizes.network(model)
        size = self.sizes.scoring(stimuli, self.data.datasets_on(stimuli), network)
        return alignment.layer_search(self.machine, size, network, self.dimensions)

    def commit_layers(self) -> Cost:
        return alignment.commitment(self.machine)

    def alignment(self, stimuli: str, model: str) -> Cost:
        return self._scored(stimuli, self.sizes.network(model))

    @cache  # noqa: B019 (few Costs per process; hundreds of models share a network)
    def _scored(self, stimuli: str, network: Network) -> Cost:
        names = self.data.datasets_on(stimuli)
        size, layers = self.sizes.scoring(stimuli, names, network), self.sizes.committed(names, network)
        return alignment.alignment(self.machine, size, network, self.dimensions, layers)

    @cache  # noqa: B019 (few Costs per process)
    def projection_study(self, stimuli: str, model: str) -> Cost:
        network, names = self.sizes.network(model), self.data.datasets_on(stimuli)
        extraction = self.sizes.extraction(network, self.sizes.committed(names, network), self.sizes.images(stimuli))
        size = self.sizes.scoring(stimuli, names, network)
        return alignment.projection_study(self.machine, size, extraction, self._alignment.projections(model))

    # ------------------------------------------------------------------------------------------ readouts

    def tokens(self, stimuli: str) -> Cost:
        assert self._mapping
        network = self.sizes.network(self._mapping.model)
        read = [self.sizes.dataset(name) for name in self._mapping.datasets_on(stimuli)]
        images = min(self.sizes.images(stimuli), sum(size.images * len(size.kernels) for size in read))
        layers = self.sizes.committed(self.data.datasets_on(stimuli), network)
        return readouts.tokens(self.machine, self.sizes.extraction(network, layers, images))

    @cache  # noqa: B019 (few Costs per process)
    def mapping(self, dataset: str, readout: str) -> Cost:
        assert self._mapping
        settings, network = self._mapping.settings, self.sizes.network(self._mapping.model)
        size = readouts.Fits(
            dataset=self.sizes.dataset(dataset),
            network=network,
            committed=self.sizes.committed([dataset], network),
            percent=settings.percent,
            seeds=len(settings.seeds),
            save=settings.save,
        )
        recipe = self._mapping.recipe(dataset, readout)
        if recipe is None:
            return readouts.linear_readouts(self.machine, size, self.study.ridge)
        return readouts.trained_readouts(self.machine, size, recipe)

    # ------------------------------------------------------------------------------------------ fine-tuning

    @cache  # noqa: B019 (few Costs per process)
    def finetuning_heads(self, model: str, dataset: str) -> Cost:
        assert self._finetuning
        network, size = self.sizes.network(model), self.sizes.dataset(dataset)
        layers = self.sizes.committed_layers(network.layers, len(self._finetuning.headed[model, dataset]))
        extraction = self.sizes.extraction(network, layers, size.images * len(size.kernels))
        return finetuning.heads(self.machine, size, extraction, self.study.ridge)

    @cache  # noqa: B019 (few Costs per process)
    def finetune(self, model: str) -> Cost:
        assert self._finetuning
        tuning, recipe = self._finetuning.tunings[model], self._finetuning.recipe(model)
        return finetuning.finetuning(
            self.machine,
            self.sizes.network(tuning.base),
            self.finetuning_step(model),
            steps=recipe.epochs * epoch_steps(self._samples(model), recipe.neural_batch),
            responses=self.sizes.dataset(tuning.dataset).response_bytes,
            image_arrays=self.sizes.image_arrays(tuning.base),
        )

    def finetuning_step(self, model: str, activations: float = 0) -> finetuning.StepSize:
        """Return the sizes of one training step of a fine-tuned model.

        The units of all ROIs are counted, because the number of units in an ROI is unknown until the data are read.

        Args:
            activations: how many numbers the network keeps per image for the backward pass.
        """
        assert self._finetuning
        tuning, recipe = self._finetuning.tunings[model], self._finetuning.recipe(model)
        network, size = self.sizes.network(tuning.base), self.sizes.dataset(tuning.dataset)
        subjects, trials = tuning.subjects or len(size.units), min(self._samples(model), recipe.neural_batch)
        units = sum(kernel.units for kernel in size.kernels) * subjects / len(size.units)
        return finetuning.StepSize(
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
        """Return the number of stimuli of each subject that a model is fitted to."""
        assert self._finetuning
        tuning = self._finetuning.tunings[model]
        return int(self.sizes.dataset(tuning.dataset).kernels[0].n_train * tuning.percent / 100)

    def finetuned_alignment(self, stimuli: str, model: str) -> Cost:
        assert self._finetuning
        return self._unprojected(stimuli, self._finetuning.base(model).id)

    @cache  # noqa: B019 (few Costs per process; many models have one base)
    def _unprojected(self, stimuli: str, base: str) -> Cost:
        assert self._finetuning
        network, names = self.sizes.network(base), self._finetuning.benchmarks_on(stimuli)
        extraction = self.sizes.extraction(network, self.sizes.committed(names, network), self.sizes.images(stimuli))
        return alignment.unprojected_alignment(self.machine, self.sizes.scoring(stimuli, names, network), extraction)

    # ------------------------------------------------------------------------------------------ scaling fits

    def fit(self, fit: str) -> Cost:
        return scaling_fit(self.machine, self._points(fit), self.study.fits.bootstraps)

    def fit_scores(self) -> Cost:
        assert self.study.scores is not None
        chosen = self.study.scores.experiments
        experiments = PUBLISHED_EXPERIMENTS if chosen == "all" else len(chosen)
        return scaling_fit(self.machine, experiments * PUBLISHED_POINTS, self.study.scores.bootstraps)

    def _points(self, fit: str) -> int:
        mapping, averages = self.study.mapping, len(self.data.labels) + 1
        match fit.split(".")[0]:
            case "mapping" if mapping:
                return len(mapping.readouts) * len(mapping.datasets) * len(mapping.percent) * len(mapping.seeds)
            case "mapping":
                return PUBLISHED_READOUTS
            case "finetuning" if self._finetuning:
                return len(self._finetuning.finetuned) * averages
        fitted = sum(1 for _ in checkpoints()) if self.study.published else len(self.models.fitted)
        return 2 * averages * fitted
