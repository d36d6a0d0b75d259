"""Costs of the stages of alignment: preparing responses, searching layers, and scoring features or all activations."""

from collections.abc import Sequence
from dataclasses import dataclass

from cortexscale.costs import Cost, Machine
from cortexscale.features.blocks import COLUMNS
from cortexscale.features.bounds import DEVICE_AND_READERS, Extraction
from cortexscale.kernels import bounds as kernels
from cortexscale.kernels.bounds import Kernel
from cortexscale.models.bounds import Network
from cortexscale.study.experiments import Metrics
from cortexscale.study.features import Projection
from cortexscale.study.ridge import Ridge

UNIT_ROW, PLS_ROW = 22, 16
"""Number of bytes of a row of ``*.units.parquet`` without PLS, and number of bytes that PLS adds to it."""
SLAB = 10 * COLUMNS
"""Number of bytes that slabs of feature columns take per image: two in float32, and one in float16 while it is decoded."""
ROIS_OF_UNIT = 3
"""Largest number of ROIs per unit for which predictions are kept."""


def committed_layers(layers: int, rois: int) -> float:
    """Expected number of different committed layers, out of ``layers`` candidates.

    In the published commitments, the mean is 5.2 for the 28 ROIs of NSD, and 8.0 for the 53 ROIs of the five datasets on THINGS.
    """
    return min(layers, rois**0.5)


def most_committed_layers(layers: int, rois: int) -> float:
    """Largest number of committed layers. In the published commitments it is 12 for 28 ROIs and 17 for 53 ROIs."""
    return min(layers, rois, 2.5 * rois**0.5)


@dataclass(frozen=True)
class DatasetSize:
    """Sizes of a dataset.

    ``kernels`` has one kernel that all subjects share, or one per subject. ``units`` has the number of units of each subject.
    """

    kernels: tuple[Kernel, ...]
    units: tuple[float, ...]
    rois: int
    rois_per_unit: int

    @property
    def images(self) -> int:
        """Number of stimuli in a kernel, training and test."""
        return self.kernels[0].n_train + self.kernels[0].n_test

    @property
    def groups(self) -> float:
        """Number of pairs of a subject and an ROI on one kernel, if every subject has every ROI."""
        return self.rois * len(self.units) / len(self.kernels)

    @property
    def response_bytes(self) -> float:
        return 4 * self.images * sum(self.units)

    @property
    def rows(self) -> float:
        return self.rois_per_unit * sum(kernel.units for kernel in self.kernels)


def fit_seconds(machine: Machine, ridge: Ridge, kernel: Kernel, units: float, *, percent: float = 100, **how: int) -> float:
    """Seconds of ridge for some units on one kernel, with ``percent`` of its training stimuli."""
    n, grid = int(kernel.n_train * percent / 100), ridge.alphas
    return kernels.ridge_seconds(machine, ridge.precision, n, units, grid.count, search=grid.search, **how)


@dataclass(frozen=True)
class Scoring:
    """Sizes that decide the cost of scoring one model on all datasets of one stimulus set."""

    datasets: tuple[DatasetSize, ...]
    committed: tuple[float, ...]
    images: int
    ridge: Ridge
    metrics: Metrics

    @property
    def folds(self) -> int:
        """Number of outer folds if RSA and CKA use predictions of the training split, otherwise 0."""
        return self.ridge.folds.count if "train" in self.metrics.similarity else 0

    def compared(self, kernel: Kernel) -> list[int]:
        """Number of stimuli in each split on which RSA and CKA are computed."""
        return [kernel.n_train if split == "train" else kernel.n_test for split in self.metrics.similarity]

    def kernel_images(self, *, test: bool = True) -> list[int]:
        """Number of images in each kernel of a layer. All datasets share one kernel, unless one per dataset is cheaper."""
        sizes = [kernel.n_train + kernel.n_test * test for dataset in self.datasets for kernel in dataset.kernels]
        union = min(self.images, sum(sizes))
        return [union] if len(sizes) > 1 and union**2 <= sum(n**2 for n in sizes) else sizes

    def gram_seconds(self, machine: Machine, network: Network, dimensions: int | None, *, test: bool = True) -> float:
        """Seconds to make one layer's kernels from at most ``dimensions`` features, or to read exact kernels."""
        precision = self.ridge.precision
        if dimensions:
            width = network.stored_width(dimensions)
            return sum(kernels.gram_seconds(machine, precision, n, width) for n in self.kernel_images(test=test))
        pairs = [(n, width) for n in self.kernel_images() for width in network.widths]
        return sum(kernels.stored_kernel_seconds(machine, precision, *pair) for pair in pairs) / network.layers

    def geometry_seconds(self, machine: Machine) -> float:
        """Seconds to compute RSA and CKA for all subjects and ROIs."""
        return sum(
            kernels.geometry_seconds(machine, self.ridge.precision, n, dataset.groups, kernel.units * dataset.rois_per_unit)
            for dataset in self.datasets
            for kernel in dataset.kernels
            for n in self.compared(kernel)
        )

    def pls_seconds(self, machine: Machine) -> float:
        """Seconds to compute PLS for all subjects and ROIs."""
        how, components = (machine, self.ridge.precision), self.metrics.pls_components
        if components is None:
            return 0.0
        return sum(
            kernels.pls_seconds(*how, kernel, dataset.groups, kernel.units * dataset.rois_per_unit, components)
            for dataset in self.datasets
            for kernel in dataset.kernels
        )

    def fit_seconds(self, machine: Machine, *, folds: int) -> float:
        """Seconds of ridge at the committed layers. Each unit is fitted to the layers of all its ROIs."""
        total = 0.0
        for dataset, layers in zip(self.datasets, self.committed, strict=True):
            for kernel in dataset.kernels:
                units = kernel.units * min(layers, dataset.rois_per_unit) / layers
                total += layers * fit_seconds(machine, self.ridge, kernel, units, folds=folds, n_test=kernel.n_test)
        return total

    @property
    def memory(self) -> float:
        """Bytes that a job needs to score layers.

        The job holds the responses of all datasets, a kernel of all images, a slab of features, and 4 GB for libraries and the
        host side of a CUDA context. For the largest dataset it also holds n x n matrices: the centred kernel, two factors and, if
        there are several datasets, the kernel of this dataset. It holds n x units matrices: responses and dual coefficients, or
        five matrices for PLS of a subject. It also holds old and new predictions, and three geometries with their ranks.
        """
        value, copies = 4 if self.ridge.precision == "float32" else 8, 3 if len(self.datasets) == 1 else 4
        largest, similarity, sizes = 0.0, 0.0, [dataset.images for dataset in self.datasets]
        for dataset in self.datasets:
            kernel = dataset.kernels[0]
            units = 5 * dataset.images * max(dataset.units) if self.metrics.pls_components else 0
            largest = max(largest, value * (copies * dataset.images**2 + max(2 * kernel.n_train * kernel.units, units)))
            predicted = sum(2 * ROIS_OF_UNIT * value * n * kernel.units for n in {*self.compared(kernel), kernel.n_test})
            similarity = max(similarity, predicted + 16 * max(self.compared(kernel), default=0) ** 2)
        n = max(self.images, *sizes) if len(sizes) > 1 else sizes[0]
        responses = sum(dataset.response_bytes for dataset in self.datasets)
        return 4e9 + responses + largest + similarity + value * n**2 + SLAB * n

    @property
    def unit_rows(self) -> float:
        """Size of the scores of all units, in bytes."""
        row = UNIT_ROW + (PLS_ROW if self.metrics.pls_components else 0)
        return row * sum(dataset.rows for dataset in self.datasets)


def prepared_responses(machine: Machine, size: Scoring) -> Cost:
    """Cost of preparing the responses to a stimulus set.

    start + for each split of `metrics.similarity`, n^2 U / gemm + 10 n^2 G / elementwise, with U units in G pairs of subject and
    ROI + for each ROI of more than n units, n^2 U / gemm + 6 n^3 / inverse; disk: 4 n^2 G; memory: 2 GB, all responses, and for
    one dataset three copies in float64, a geometry with its ranking, and the decomposition of an ROI
    """
    seconds, disk, largest = machine.start + size.geometry_seconds(machine), 0.0, 0.0
    for dataset in size.datasets:
        kernel = dataset.kernels[0]
        n = kernel.n_train if "train" in size.metrics.similarity else kernel.n_test
        wide = [units for units in dataset.units if units > kernel.n_train]
        seconds += dataset.rois_per_unit * sum(kernels.factor_seconds(machine, kernel.n_train, units) for units in wide)
        disk += sum(4 * n**2 for n in size.compared(kernel)) * dataset.groups * len(dataset.kernels)
        largest = max(largest, 24 * n * kernel.units + 16 * n**2 + (24 * kernel.n_train**2 if wide else 0))
    return Cost(seconds, 2e9 + sum(dataset.response_bytes for dataset in size.datasets) + largest, disk)


def layer_search(machine: Machine, size: Scoring, network: Network, dimensions: int | None) -> Cost:
    """Cost of searching the layers of one model.

    start + layers x (kernels + ridge). A kernel costs n^2 p / gemm + 2 n p / disk_read + 3 n p / elementwise; an exact kernel is
    read in 2 n^2 / disk_read + 2 n^2 / elementwise, unless the layer has p <= n activations. Ridge costs (I (1 + 1/k) + A/8) n^3
    / inverse + E (4 n^2 T / gemm + (10 k + 5) n T / elementwise) for k folds and the T units of all subjects that share the n
    images. I matrices are inverted, and E of A penalties are evaluated: I = 6 and E = 4 by default. With `search: full`, I = E =
    A, and the term A/8 is left out. Memory: 4 GB, responses, kernels, factors and predictions
    """
    per_layer = size.gram_seconds(machine, network, dimensions, test=False)
    for dataset in size.datasets:
        for kernel in dataset.kernels:
            per_layer += fit_seconds(machine, size.ridge, kernel, kernel.units, folds=size.ridge.folds.count)
    return Cost(machine.start + network.layers * per_layer, size.memory)


def commitment(machine: Machine) -> Cost:
    """Cost of committing the layers of one model.

    start
    """
    return Cost(machine.start, 1e9)


def alignment(machine: Machine, size: Scoring, network: Network, dimensions: int | None, layers: float) -> Cost:
    """Cost of scoring one model at its committed ``layers``.

    start + committed layers x kernels + for each dataset, its committed layers x ((I + A/8) n^3 / inverse + E ((2 n^2 + 2 m n) T
    / gemm + 5 n T / elementwise)), with m test images; a unit is fitted to the layers of all its ROIs. RSA and CKA of predictions
    cost as much as in prepare_responses, and on the training split they need folds as in layer_search. PLS of A components costs
    2 n^2 T / gemm + 84 A n T / elementwise; disk: 22 bytes per unit and ROI (38 with PLS); memory: as in layer_search
    """
    seconds = layers * size.gram_seconds(machine, network, dimensions)
    seconds += size.fit_seconds(machine, folds=size.folds) + size.geometry_seconds(machine) + size.pls_seconds(machine)
    return Cost(machine.start + seconds, size.memory, size.unit_rows)


def unprojected_alignment(machine: Machine, size: Scoring, extraction: Extraction) -> Cost:
    """Cost of scoring one model on all its activations.

    as projection_study without projections, plus RSA, CKA and PLS as in alignment; disk: as in alignment; memory: as in
    alignment, plus that of the extraction
    """
    seconds = _unprojected_seconds(machine, size, extraction, size.folds)
    seconds += size.geometry_seconds(machine) + size.pls_seconds(machine)
    return Cost(seconds, _unprojected_memory(size, extraction), size.unit_rows)


def projection_study(machine: Machine, size: Scoring, extraction: Extraction, projections: Sequence[Projection]) -> Cost:
    """Cost of scoring one model with and without projections.

    features, with all N d activations kept on disk + kernels and ridge as in alignment, for the activations and for each
    projection + for each projection, 2 N d / disk_read to read the activations, and the time to project them as in features;
    memory: as in alignment, plus that of the extraction
    """
    network, batch = extraction.network, extraction.settings.batch_size
    seconds = _unprojected_seconds(machine, size, extraction, folds=0)
    for projection in projections:
        family, dimensions = projection.family, projection.dimensions
        projecting = sum(kernels.projection_seconds(machine, family, width, dimensions, batch) for width in network.widths)
        seconds += extraction.layers / network.layers * extraction.images * projecting
        seconds += extraction.activations / machine.disk_read
        seconds += extraction.layers * size.gram_seconds(machine, network, dimensions) + size.fit_seconds(machine, folds=0)
    return Cost(seconds, _unprojected_memory(size, extraction))


def _unprojected_seconds(machine: Machine, size: Scoring, extraction: Extraction, folds: int) -> float:
    """Seconds to extract all activations and fit ridge to them."""
    seconds = machine.start_network + extraction.activation_seconds(machine)
    seconds += extraction.kernel_seconds(machine, size.ridge.precision, size.kernel_images())
    return seconds + size.fit_seconds(machine, folds=folds)


def _unprojected_memory(size: Scoring, extraction: Extraction) -> float:
    """Memory in bytes for extracting and scoring all activations."""
    return size.memory + DEVICE_AND_READERS + sum(extraction.memory.values())
