"""Costs of extracting randomly projected features, and of extracting exact kernels of all activations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cortexscale.costs import Cost, Machine
from cortexscale.features.blocks import COLUMNS, ROWS, WAITING, columns_at_a_time, waiting_bytes
from cortexscale.kernels.bounds import gram_seconds, projection_seconds
from cortexscale.models.bounds import Network
from cortexscale.study.features import Features

LIBRARIES = 1.2e9
"""Memory of a process that has imported torch and timm, in bytes. Half of it is freed memory that the process keeps."""
DEVICE_AND_READERS = 5e9
"""Host memory of a CUDA context and of the processes that read images, in bytes."""
COPIES = 3
"""Number of arrays as large as the widest output that are in memory together: the output, its input and its projection."""


@dataclass(frozen=True)
class Extraction:
    """Sizes that decide the cost of extracting some layers of a model.

    Attributes:
        layers: number of extracted layers. It need not be an integer, because it can be an estimate.
        images: number of images that pass through the network.
        dimensions: number of dimensions of the projection, or None if all activations are extracted.
    """

    network: Network
    layers: float
    images: int
    settings: Features
    dimensions: int | None

    @property
    def activations(self) -> float:
        """Size of all float16 activations of all images, in bytes."""
        return 2 * self.images * self.layers * self.network.width

    @property
    def passes(self) -> int:
        """Number of passes of all images through the network. Several are needed if only a few layers at a time fit on disk."""
        columns = columns_at_a_time(max(self.images, 1), 1e9 * self.settings.scratch_gb, self.settings.batch_size)
        return math.ceil(self.layers / max(1, columns // self.network.width))

    def forward_seconds(self, machine: Machine) -> float:
        """Seconds for one pass of all images through the network."""
        return self.images * (1 / machine.images + self.network.flops / machine.forward)

    def activation_seconds(self, machine: Machine) -> float:
        """Seconds to write all activations, a few layers at a time."""
        return self.passes * self.forward_seconds(machine) + self.activations / machine.disk_write

    def kernel_seconds(self, machine: Machine, precision: str, kernels: Sequence[int]) -> float:
        """Seconds to make the kernels of all layers. For each kernel of a layer, ``kernels`` has its number of images."""
        return self.layers * sum(gram_seconds(machine, precision, n, self.network.width) for n in kernels)

    @property
    def memory(self) -> dict[str, float]:
        """Return the peak memory of the extraction: purpose -> bytes.

        Rows wait in memory until their block is complete. Meanwhile, one batch is written and the next batch is computed. The
        widest output of the network is in memory together with its input and its projection. The memory of a kernel is not
        included.
        """
        network, batch, p = self.network, self.settings.batch_size, self.dimensions
        rows, widest = waiting_bytes(ROWS + batch, batch), min(network.widest, p or math.inf)
        waiting = rows * min(self.layers * widest, network.layers * network.stored_width(p))
        parts = {
            "libraries and freed memory": LIBRARIES,
            "weights, once more while they are read": 8 * network.parameters,
            "activations that pass": 4 * COPIES * batch * network.output,
            "rows that wait to be written": waiting if p else min(waiting, max(WAITING, rows * widest)),
        }
        if p:
            family = self.settings.projection.family
            matrices = sum(_matrix_bytes(family, width, p) for width in set(network.widths))
            parts[f"{family} projections to {p:,}"] = matrices
        return parts


def _matrix_bytes(family: str, n_in: float, n_out: int) -> float:
    """Return the size of a projection in bytes.

    A sparse matrix has 8 bytes for each non-zero entry. A countsketch has 5 bytes for each input, because the sign of an input is
    stored as int8 and as float32.
    """
    if n_in <= n_out or family == "gaussian":
        return 0
    return 5 * n_in if family == "countsketch" else 8 * n_out * n_in**0.5


def projected_features(machine: Machine, size: Extraction) -> Cost:
    """Cost of extracting projected features.

    start_network + number of images x (1 / images + FLOPs / forward + projections) + written / disk_write. Each layer of d > p
    activations adds a projection, which costs p sqrt(d) / projection if sparse, d / projection if countsketch, and 2 p d /
    gemm_float32 if gaussian; disk: 2 x images x layers x min(d, p); memory: 6 GB, 8 bytes per parameter, projections, outputs of
    a batch, and rows that wait: layers x min(d, p) numbers of 2 bytes for a block and of 4 bytes for two batches
    """
    network, family, batch, p = size.network, size.settings.projection.family, size.settings.batch_size, size.dimensions
    assert p is not None
    projecting = sum(projection_seconds(machine, family, width, p, batch) for width in network.widths)
    seconds = size.forward_seconds(machine) + size.images * projecting * size.layers / network.layers
    written = 2 * size.images * size.layers * network.stored_width(p)
    seconds += machine.start_network + written / machine.disk_write
    return Cost(seconds, DEVICE_AND_READERS + sum(size.memory.values()), written, resumes=True)


def exact_kernels(machine: Machine, size: Extraction, kernels: Sequence[int]) -> Cost:
    """Cost of extracting exact kernels. For each kernel of a layer, ``kernels`` has its number of images.

    start_network + passes x N x (1 / images + FLOPs / forward) + 2 N d / disk_write, for N images + for each kernel, n^2 d / gemm
    + 2 n d / disk_read + 3 n d / elementwise + written / disk_write. In one pass, activations fill scratch_gb or the memory for
    waiting rows; disk: 2 n min(n, d) per layer and kernel; memory: 8 GB, 8 bytes per parameter, outputs of a batch, 8 n^2 for the
    largest kernel and a slab of its columns
    """
    network, n = size.network, max(kernels, default=0)
    written = size.layers * sum(2 * n * min(n, width) for n in kernels for width in network.widths) / network.layers
    seconds = size.activation_seconds(machine) + size.kernel_seconds(machine, "auto", kernels)
    memory = DEVICE_AND_READERS + sum(size.memory.values()) + 8 * n**2 + n * (10 + 8) * COLUMNS
    return Cost(machine.start_network + seconds + written / machine.disk_write, memory, written, resumes=True)
