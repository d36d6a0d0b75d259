"""The largest possible sizes of the arrays of a study. They are calculated without any data or network."""

from collections.abc import Sequence
from functools import cache

from cortexscale.alignment.bounds import DatasetSize, Scoring, most_committed_layers
from cortexscale.alignment.super_rois import COMPOSITE_ROIS
from cortexscale.datasets.bounds import LARGEST_RELEASE
from cortexscale.features.bounds import Extraction
from cortexscale.kernels.bounds import Kernel
from cortexscale.models.bounds import Network, assumed_network
from cortexscale.plan.data import DataPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.study import Study


class Sizes:
    """Sizes that decide the costs of jobs, such as numbers of units, images and layers.

    If a size is not known before the study runs, the largest possible size is assumed. ``snakemake estimate`` uses the subclass
    :class:`cortexscale.estimate.sizes.ExpectedSizes`, which replaces assumed sizes by expected sizes.
    """

    def __init__(self, study: Study, data: DataPlan, models: ModelPlan):
        self.study, self.data, self.models = study, data, models

    def network(self, model: str) -> Network:
        """Return the sizes of the network of a model."""
        return assumed_network(self.models.inventory[model])

    def units_kept(self, dataset: str) -> float | None:
        """Return the mean number of units per subject that pass the selection; None to assume the largest possible number."""
        return None

    def committed_layers(self, layers: int, rois: int) -> float:
        """Return how many different layers are committed, given the numbers of candidate layers and of ROIs."""
        return most_committed_layers(layers, rois)

    def released_bytes(self, dataset: str, subject: str) -> float:
        """Return the size of the released files of a subject in bytes. Simulated files are small and count as 0."""
        return 0 if dataset in self.data.simulated else LARGEST_RELEASE

    def image_arrays(self, model: str) -> float | None:
        """Return the size in bytes of a suite's labelled images if they are arrays in one file.

        Return None if each image has its own file.
        """
        if self.models.inventory[model].source != "suite":
            return None
        suite = self.models.suite(model)
        return 3 * suite.image_size**2 * suite.expected if suite.images.endswith(".npz") else None

    @cache  # noqa: B019 (one Sizes per process)
    def dataset(self, name: str) -> DatasetSize:
        """Return the sizes of a dataset.

        All subjects share one kernel, or each subject has its own kernel, as in NSD. Subjects are assumed to have their own
        kernels if two conditions hold. The number of units of a kernel does not grow with the number of subjects, and the
        stimulus set has enough images to show different images to every subject.
        """
        entry, subjects = self.data.datasets[name], self.data.subjects_scored(name)
        n_train, n_test, most = self.data.shape(name)
        grows = self.data.shape(name, subjects[:1])[2] < most
        images, rois = self.study.stimuli[entry.stimuli].expected or 0, set(entry.rois)
        shared = len(subjects) == 1 or grows or images < len(subjects) * n_train
        kept = self.units_kept(name)
        units = most if kept is None else kept * len(subjects) if shared else kept
        return DatasetSize(
            kernels=(Kernel(n_train, n_test, units),) * (1 if shared else len(subjects)),
            units=tuple(kept or self.data.shape(name, [subject])[2] for subject in subjects),
            rois=len(rois),
            rois_per_unit=len(rois & COMPOSITE_ROIS) + bool(rois - COMPOSITE_ROIS),
        )

    @cache  # noqa: B019 (one Sizes per process)
    def images(self, stimuli: str) -> int:
        """Return the number of images of a stimulus set: the expected number in the config, or else the sum over datasets."""
        sizes = [self.dataset(name) for name in self.data.datasets_on(stimuli)]
        return self.study.stimuli[stimuli].expected or sum(size.images * len(size.kernels) for size in sizes)

    def scoring(self, stimuli: str, datasets: Sequence[str], network: Network | None = None) -> Scoring:
        """Return the sizes for scoring a network on datasets. Without a network, no committed layers are counted."""
        layers = [self.committed([name], network) for name in datasets] if network else []
        return Scoring(
            datasets=tuple(self.dataset(name) for name in datasets),
            committed=tuple(layers),
            images=self.images(stimuli),
            ridge=self.study.ridge,
            metrics=self.study.metrics,
        )

    def committed(self, datasets: Sequence[str], network: Network) -> float:
        """Return the number of different committed layers of a network for the ROIs of some datasets."""
        return self.committed_layers(network.layers, sum(len(self.data.datasets[name].rois) for name in datasets))

    def extraction(self, network: Network, layers: float, images: int, dimensions: int | None = None) -> Extraction:
        """Return the sizes for extracting layers from images. Features are projected to ``dimensions`` unless it is None."""
        return Extraction(network, layers, images, self.study.features, dimensions)
