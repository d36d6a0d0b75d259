"""Costs of the jobs up to the alignment of a study on one machine: recordings, backbones, features and scores."""

from collections.abc import Sequence
from functools import cache

from cortexscale.alignment import bounds as alignment
from cortexscale.costs.cost import Cost
from cortexscale.costs.machine import Machine
from cortexscale.datasets import bounds as datasets
from cortexscale.features import bounds as features
from cortexscale.models import bounds as models
from cortexscale.models.bounds import Network
from cortexscale.models.training import bounds as training
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.plan.sizes import Sizes
from cortexscale.study import Study


class PretrainingCosts:
    """Costs of these jobs. A method has the name of a rule, and its arguments are the wildcards of the rule."""

    def __init__(self, study: Study, sizes: Sizes, models: ModelPlan, alignment: AlignmentPlan, machine: Machine):
        self.study, self.sizes, self.machine = study, sizes, machine
        self.data, self.models, self.plan = sizes.data, models, alignment

    @property
    def dimensions(self) -> int | None:
        """Dimensions of stored features; None where exact kernels are stored."""
        return None if self.plan.exact else self.study.features.projection.dimensions

    def preprocess(self, dataset: str, subject: str) -> Cost:
        """Reading one subject."""
        n_train, n_test, most = self.data.shape(dataset, [subject])
        return datasets.preprocess(
            self.machine,
            released=self.sizes.released_bytes(dataset, subject),
            images=n_train + n_test,
            units=self.sizes.units_kept(dataset) or most,
            reader_mb=self.data.reading_mb(dataset),
        )

    def stimuli(self, stimuli: str) -> Cost:
        """Listing the images of one stimulus set."""
        return datasets.stimulus_table(self.machine, self.sizes.images(stimuli))

    # ------------------------------------------------------------------------------------------ models

    def download_checkpoint(self, model: str) -> Cost:
        """Fetching one published checkpoint."""
        return models.checkpoint_download(self.machine, self.models.inventory[model], self.sizes.network(model))

    def train_backbone(self, model: str) -> Cost:
        """Training one model of a suite."""
        return training.backbone_training(
            self.machine,
            self.sizes.network(model),
            images_seen=self.models.training_length(model).images_seen,
            gpus=self.study.training.gpus,
            arrays=self.sizes.image_arrays(model),
        )

    def model_cards(self) -> Cost:
        """Describing all architectures."""
        return models.model_cards(self.machine, len(self.models.references))

    # ------------------------------------------------------------------------------------------ features

    @cache  # noqa: B019 (few of these per process)
    def features(self, stimuli: str, model: str) -> Cost:
        """Extracting the committed layers of one model."""
        network = self.sizes.network(model)
        return self._stored(stimuli, network, self.sizes.committed(self.data.datasets_on(stimuli), network))

    @cache  # noqa: B019 (few of these per process)
    def sweep_features(self, stimuli: str, model: str) -> Cost:
        """Extracting all candidate layers of one reference model."""
        network = self.sizes.network(model)
        return self._stored(stimuli, network, network.layers)

    def _stored(self, stimuli: str, network: Network, layers: float) -> Cost:
        images = self.sizes.images(stimuli)
        if not self.plan.exact:
            return self._extracted(network, layers, images)
        kernels = self.sizes.scoring(stimuli, self.data.datasets_on(stimuli)).kernel_images()
        return self._extracted(network, layers, min(images, sum(kernels)), kernels)

    def _extracted(self, network: Network, layers: float, images: int, kernels: Sequence[int] = ()) -> Cost:
        size = self.sizes.extraction(network, layers, images, self.dimensions)
        return (
            features.exact_kernels(self.machine, size, kernels)
            if self.plan.exact
            else features.projected_features(self.machine, size)
        )

    def largest_sweep_mb(self, model: str) -> int:
        """Most megabytes that a sweep of one model asks for, or would ask for in a study without images."""
        network = self.sizes.network(model)
        kernels = [self.sweep_features(stimuli, model).mb for stimuli in self.data.stimuli if self.plan.exact]
        return max(self._extracted(network, network.layers, images=0).mb, *kernels, 0)

    # ------------------------------------------------------------------------------------------ alignment

    @cache  # noqa: B019 (few of these per process)
    def prepare_responses(self, stimuli: str) -> Cost:
        """Preparing the responses to one stimulus set."""
        return alignment.prepared_responses(self.machine, self.sizes.scoring(stimuli, self.data.datasets_on(stimuli)))

    @cache  # noqa: B019 (few of these per process)
    def layer_search(self, stimuli: str, model: str) -> Cost:
        """Searching the layers of one reference model."""
        network = self.sizes.network(model)
        size = self.sizes.scoring(stimuli, self.data.datasets_on(stimuli), network)
        return alignment.layer_search(self.machine, size, network, self.dimensions)

    def commit_layers(self) -> Cost:
        """Committing the layers of one reference model."""
        return alignment.commitment(self.machine)

    @cache  # noqa: B019 (few of these per process)
    def alignment(self, stimuli: str, model: str) -> Cost:
        """Scoring one model."""
        network, names = self.sizes.network(model), self.data.datasets_on(stimuli)
        size, layers = self.sizes.scoring(stimuli, names, network), self.sizes.committed(names, network)
        return alignment.alignment(self.machine, size, network, self.dimensions, layers)

    @cache  # noqa: B019 (few of these per process)
    def projection_study(self, stimuli: str, model: str) -> Cost:
        """Scoring one model through projections, and without any."""
        network, names = self.sizes.network(model), self.data.datasets_on(stimuli)
        extraction = self.sizes.extraction(network, self.sizes.committed(names, network), self.sizes.images(stimuli))
        size = self.sizes.scoring(stimuli, names, network)
        return alignment.projection_study(self.machine, size, extraction, self.plan.projections(model))
