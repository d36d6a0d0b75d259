"""Costs of the mapping axis: extracting the tokens of one model, and fitting readouts at all percentages and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from cortexscale.alignment.bounds import DatasetSize, fit_seconds
from cortexscale.catalogue.readouts import KINDS
from cortexscale.costs import Cost, Machine
from cortexscale.features.blocks import ROWS
from cortexscale.features.bounds import DEVICE_AND_READERS, Extraction
from cortexscale.kernels.bounds import gram_seconds
from cortexscale.models.bounds import Network
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.study.ridge import Ridge


def tokens(machine: Machine, size: Extraction) -> Cost:
    """Cost of extracting the tokens of the committed layers of one model.

    start_network + N (1 / images + FLOPs / forward) + written / disk_write, for N images; disk: 2 N d for each committed layer of
    d activations; memory: as in features, plus 5 GB, waiting rows of all activations, and a batch of all candidate layers
    """
    seconds = size.forward_seconds(machine) + size.activations / machine.disk_write
    return Cost(machine.start_network + seconds, token_memory(size), size.activations, resumes=True)


def token_memory(size: Extraction) -> float:
    """Return the memory that an extraction of tokens needs, in bytes."""
    batch = size.settings.batch_size
    waiting = 4 * size.network.widest * size.layers * (2 * ROWS + batch) + 8 * sum(size.network.widths) * batch
    return DEVICE_AND_READERS + sum(size.memory.values()) + waiting


@dataclass(frozen=True)
class Fits:
    """Sizes that decide the cost of all readouts of one kind on one dataset.

    Attributes:
        network: sizes of the network whose tokens are read.
        committed: number of committed layers of the dataset.
        percent: sizes of the subsets, in percent of the training stimuli.
        seeds: number of subsets of each size.
        save: whether the readouts of the largest subset are saved.
    """

    dataset: DatasetSize
    network: Network
    committed: float
    percent: Sequence[float]
    seeds: int
    save: bool

    @property
    def memory(self) -> float:
        """Memory of libraries and of three copies of the responses, in bytes."""
        return 6e9 + 3 * self.dataset.response_bytes


def linear_readouts(machine: Machine, size: Fits, ridge: Ridge) -> Cost:
    """Cost of linear readouts.

    start_network + for each committed layer, a kernel as in layer_search, and ridge as in alignment for each subset of stimuli;
    disk: 4 d per unit and ROI; memory: 6 GB, three copies of the responses, a kernel, the kernel of a subset with its factors,
    and two copies of the weights of a subject and ROI
    """
    dataset, width = size.dataset, size.network.width
    units_of, total = min(size.committed, dataset.rois_per_unit) / size.committed, 0.0
    for kernel in dataset.kernels:
        total += gram_seconds(machine, ridge.precision, kernel.n_train + kernel.n_test, width)
        for percent in size.percent:
            each = fit_seconds(machine, ridge, kernel, kernel.units * units_of, percent=percent, n_test=kernel.n_test)
            total += each * (1 if percent == 100 else size.seeds)
    kernel, weights = dataset.kernels[0], 2 * 4 * max(dataset.units) * size.network.widest if size.save else 0
    memory = size.memory + 8 * (5 * dataset.images**2 + 3 * kernel.n_train * kernel.units) + weights
    disk = 4 * width * dataset.rows if size.save else 0.0
    return Cost(machine.start_network + size.committed * total, memory, disk, resumes=True)


def trained_readouts(machine: Machine, size: Fits, recipe: ReadoutRecipe) -> Cost:
    """Cost of trained readouts.

    start_network + images seen x (ROIs x 6 d w / forward + layers x 2 d / disk_read), with w channels of the readout; attention
    has 18 d w in place of 6 d w; memory: 6 GB and three copies of the responses
    """
    dataset, width = size.dataset, size.network.width
    seen = recipe.epochs * sum(size.percent) / 100 * size.seeds * dataset.kernels[0].n_train * len(dataset.units)
    operations = 6 * KINDS[recipe.readout].projections * width * recipe.width * dataset.rois
    read = 2 * width * size.committed
    seconds = seen * (operations / machine.forward + read / machine.disk_read)
    return Cost(machine.start_network + seconds, size.memory, resumes=True)
