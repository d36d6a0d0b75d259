"""Sizes of networks, and costs of downloading, describing and training them."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cortexscale.costs import Cost, Machine
from cortexscale.models.model import Model, PublishedBuilder, TimmBuilder
from cortexscale.models.spvvs import AVERAGED

TABLE = Path(__file__).with_name("networks.tsv")
PIXELS = 224
"""Width and height, in pixels, of the images of most networks in the table."""
PASSES = 3
"""Time of a training step, divided by the time of a forward pass. A backward pass takes as long as two forward passes."""
ASSUMED = "deit_large"
"""Architecture whose sizes are assumed for architectures that are not in the table."""


@dataclass(frozen=True)
class Network:
    """Sizes of a network.

    Attributes:
        flops: number of FLOPs of a forward pass of one image.
        widths: number of activations of each candidate layer for one image.
        output: number of values in the largest output of a module for one image.
    """

    flops: float
    widths: tuple[float, ...]
    parameters: float
    output: float

    @property
    def layers(self) -> int:
        return len(self.widths)

    @cached_property
    def width(self) -> float:
        return sum(self.widths) / len(self.widths)

    @cached_property
    def widest(self) -> float:
        return max(self.widths)

    def stored_width(self, dimensions: int | None) -> float:
        """Return the mean width of the candidate layers after projection to ``dimensions``. With None, there is no projection."""
        return sum(min(width, dimensions) for width in self.widths) / len(self.widths) if dimensions else self.width

    def at(self, pixels: int) -> "Network":
        """Return the same network for images of another size. All its sizes are proportional to the area of the images."""
        area = (pixels / PIXELS) ** 2
        widths = tuple(width * area for width in self.widths)
        return Network(self.flops * area, widths, self.parameters * area, self.output * area)


@cache
def known_networks() -> dict[str, Network]:
    """Read the sizes of architectures and timm models of the paper, by name, from ``networks.tsv``.

    The last column lists widths as ``<width>x<number of layers>``. :mod:`cortexscale.estimate.networks` writes this file.
    """
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return {
        name: Network(int(flops), _widths(widths), int(parameters), int(output))
        for name, flops, parameters, output, widths in rows
    }


def _widths(text: str) -> tuple[int, ...]:
    pairs = (map(int, pair.split("x")) for pair in text.split())
    return tuple(width for width, layers in pairs for _ in range(layers))


def network_table(networks: dict[str, Network]) -> Iterable[str]:
    yield "name\tflops\tparameters\toutput\twidths\n"
    for name, network in networks.items():
        widths = " ".join(f"{width}x{layers}" for width, layers in Counter(network.widths).items())
        yield f"{name}\t{network.flops}\t{network.parameters}\t{network.output}\t{widths}\n"


def assumed_network(model: Model) -> Network:
    """Return the sizes of a model's network without building it.

    If the table does not have them, the sizes are those of ``ASSUMED`` at the model's image size.
    """
    known = known_networks()
    if model.source in ("spvvs", "timm") and (name := network_name(model)) in known:
        return known[name]
    return known[ASSUMED].at(model.image_size or PIXELS)


def network_name(model: Model) -> str:
    """Return the name that a published model's network has in ``networks.tsv``."""
    return model.built_by(PublishedBuilder).architecture if model.source == "spvvs" else model.built_by(TimmBuilder).timm


def checkpoint_download(machine: Machine, model: Model, network: Network) -> Cost:
    """Cost of downloading a published checkpoint.

    start; time of the transfer not included; disk: 4 bytes per parameter, or 8 if the file also has averaged weights
    """
    copies = 2 if model.family.startswith(AVERAGED) else 1
    return Cost(machine.start, 1e9, 4 * copies * network.parameters)


def model_cards(machine: Machine, architectures: int) -> Cost:
    """Cost of counting the parameters and FLOPs of some architectures.

    start_network + about 1 s per architecture
    """
    return Cost(machine.start_network + architectures, 8e9)


def backbone_training(machine: Machine, network: Network, *, images_seen: int, gpus: int, arrays: float | None) -> Cost:
    """Cost of training one backbone.

    start_network + images seen x max(3 FLOPs / forward / GPUs, 1 / images); if images are one array, 1 / images is left out;
    memory: for each GPU, 4 GB, 16 bytes per parameter and the array twice; or, in place of arrays, 16 GB for all processes that
    read images

    ``arrays`` is the size in bytes of an image set in one file, or None if images are read one by one.
    """
    seconds = PASSES * network.flops / machine.forward / gpus
    if arrays is None:
        seconds = max(seconds, 1 / machine.images)
    memory = gpus * (4e9 + 16 * network.parameters + 2 * (arrays or 0)) + (16e9 if arrays is None else 0)
    return Cost(machine.start_network + images_seen * seconds, memory, resumes=True)
