"""Sizes of networks, and costs of the jobs that download, describe and train them."""

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
"""Width and height of the images of most networks in the table."""
PASSES = 3
"""Ratio of the time of a training step to that of a forward pass: the backward pass takes as long as two."""
ASSUMED = "deit_large"
"""The architecture whose sizes are assumed for architectures that the table does not have."""


@dataclass(frozen=True)
class Network:
    """Sizes of a network.

    Attributes:
        flops: FLOPs of one forward pass of one image.
        widths: number of activations of every candidate layer for one image.
        output: size of the largest output of any module for one image.
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
        """Mean width of the candidate layers after projection to ``dimensions``; None projects nothing."""
        return sum(min(width, dimensions) for width in self.widths) / len(self.widths) if dimensions else self.width

    def at(self, pixels: int) -> "Network":
        """Return a network of the same kind for images of another size. All its sizes grow with the area of the images."""
        area = (pixels / PIXELS) ** 2
        widths = tuple(width * area for width in self.widths)
        return Network(self.flops * area, widths, self.parameters * area, self.output * area)


@cache
def known_networks() -> dict[str, Network]:
    """Read ``networks.tsv``: the name of an architecture or timm model of the paper -> its sizes.

    The last column lists widths as ``<width>x<number of layers>``. :mod:`cortexscale.estimate.networks` writes the file.
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
    """Return sizes of a model's network without building it: those of the table, or else of ``ASSUMED`` for its image size."""
    known = known_networks()
    if model.source in ("spvvs", "timm") and (name := network_name(model)) in known:
        return known[name]
    return known[ASSUMED].at(model.image_size or PIXELS)


def network_name(model: Model) -> str:
    """Return the name of the network of a published model in ``networks.tsv``."""
    return model.built_by(PublishedBuilder).architecture if model.source == "spvvs" else model.built_by(TimmBuilder).timm


def checkpoint_download(machine: Machine, model: Model, network: Network) -> Cost:
    """Cost of downloading a published checkpoint.

    start, without the time of the connection; disk: 4 bytes per parameter, twice where a file holds averaged weights too
    """
    copies = 2 if model.family.startswith(AVERAGED) else 1
    return Cost(machine.start, 1e9, 4 * copies * network.parameters)


def model_cards(machine: Machine, architectures: int) -> Cost:
    """Cost of counting the parameters and FLOPs of architectures.

    start_network + about 1 s per architecture
    """
    return Cost(machine.start_network + architectures, 8e9)


def backbone_training(machine: Machine, network: Network, *, images_seen: int, gpus: int, arrays: float | None) -> Cost:
    """Cost of training one backbone; ``arrays`` has the bytes of an image set in one file, None if images are read one by one.

    start_network + images seen x max(3 FLOPs / forward / GPUs, 1 / images), without 1 / images where they come as one array;
    memory: per GPU 4 GB, 16 bytes per parameter and the array twice, or 16 GB for all that read images
    """
    seconds = PASSES * network.flops / machine.forward / gpus
    if arrays is None:
        seconds = max(seconds, 1 / machine.images)
    memory = gpus * (4e9 + 16 * network.parameters + 2 * (arrays or 0)) + (16e9 if arrays is None else 0)
    return Cost(machine.start_network + images_seen * seconds, memory, resumes=True)
