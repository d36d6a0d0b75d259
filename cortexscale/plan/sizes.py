"""Largest possible sizes of the arrays of a planned study, from what is known without any data or network."""

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
    """Largest possible sizes of a study.

    ``snakemake estimate`` has a subclass that counts what is assumed here.
    """

    def __init__(self, study: Study, data: DataPlan, models: ModelPlan):
        self.study, self.data, self.models = study, data, models

    # ------------------------------------------------------------------------------------------ assumptions

    def network(self, model: str) -> Network:
        """Sizes of the network of a model."""
        return assumed_network(self.models.inventory[model])

    def units_kept(self, dataset: str) -> float | None:
        """Units that a subject of a dataset keeps on average; None for as many as its reader may keep."""
        return None

    def committed_layers(self, layers: int, rois: int) -> float:
        """Layers among so many candidates that so many ROIs are committed to."""
        return most_committed_layers(layers, rois)

    def released_bytes(self, dataset: str, subject: str) -> float:
        """Bytes of the released files of a subject. Simulated ones are small."""
        return 0 if dataset in self.data.simulated else LARGEST_RELEASE

    def image_arrays(self, model: str) -> float | None:
        """Bytes of the labelled images of a suite that are one array in one file; None where images are files of their own."""
        if self.models.inventory[model].source != "suite":
            return None
        suite = self.models.suite(model)
        return 3 * suite.image_size**2 * suite.expected if suite.images.endswith(".npz") else None

    # ------------------------------------------------------------------------------------------ datasets

    @cache  # noqa: B019 (one Sizes per process)
    def dataset(self, name: str) -> DatasetSize:
        """Sizes of a dataset.

        Its subjects share one kernel, or have one each, as in NSD: there the units of a kernel do not grow with the number of
        subjects, and the stimulus set has enough images for all of them.
        """
        subjects, rois = self.data.subjects_scored(name), set(self.rois(name))
        n_train, n_test, most = self.data.shape(name)
        grows = self.data.shape(name, subjects[:1])[2] < most
        images = self.data.images(self.data.datasets[name].stimuli) or 0
        shared = len(subjects) == 1 or grows or images < len(subjects) * n_train
        kept = self.units_kept(name)
        units = most if kept is None else kept * len(subjects) if shared else kept
        return DatasetSize(
            kernels=(Kernel(n_train, n_test, units),) * (1 if shared else len(subjects)),
            units=tuple(kept or self.data.shape(name, [subject])[2] for subject in subjects),
            rois=len(rois),
            rois_per_unit=len(rois & COMPOSITE_ROIS) + bool(rois - COMPOSITE_ROIS),
        )

    def rois(self, dataset: str) -> list[str]:
        """ROIs of a dataset."""
        return self.data.datasets[dataset].rois

    def images(self, stimuli: str) -> int:
        """Images of a stimulus set: as many as the config expects, else those that its datasets show."""
        sizes = [self.dataset(name) for name in self.data.datasets_on(stimuli)]
        return self.data.images(stimuli) or sum(size.images * len(size.kernels) for size in sizes)

    # ------------------------------------------------------------------------------------------ stages

    def scoring(self, stimuli: str, datasets: Sequence[str], network: Network | None = None) -> Scoring:
        """Sizes of scores on datasets that show a stimulus set.

        Args:
            network: that is scored; None where no layer is committed yet.
        """
        layers = [self.committed_layers(network.layers, len(self.rois(name))) for name in datasets] if network else []
        return Scoring(
            datasets=tuple(self.dataset(name) for name in datasets),
            committed=tuple(layers),
            images=self.images(stimuli),
            ridge=self.study.ridge,
            splits=self.study.similarity.splits,
        )

    def committed(self, datasets: Sequence[str], network: Network) -> float:
        """Layers of a network that the ROIs of some datasets are committed to together."""
        return self.committed_layers(network.layers, sum(len(self.rois(name)) for name in datasets))

    def extraction(self, network: Network, layers: float, images: int, dimensions: int | None = None) -> Extraction:
        """Sizes of an extraction of so many layers from so many images, projected to ``dimensions`` or not."""
        return Extraction(network, layers, images, self.study.features, dimensions)
