"""The 620 supervised ImageNet and Ecoset models of Gokce & Schrimpf (2025). Their ids follow the rules of :func:`model_id`.

The suite is a grid of architectures x training sets x images per class x seeds. Four runs of the grid were never made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

FULL = {"imagenet": 1_281_167, "ecoset": 1_444_911}
"""Number of images in each full training set."""
CLASSES = {"imagenet": 1000, "ecoset": 565}
FULL_SET = 0
"""Number of images per class that stands for the full training set."""
SEEDS = {FULL_SET: 3, 1: 3, 3: 1, 10: 3, 30: 1, 100: 3, 300: 1}
"""Number of seeds for each number of images per class."""

NAMED = {
    "AlexNet": ("alexnet",),
    "CORnet-S": ("cornet_s",),
    "ResNet": tuple(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    "EfficientNet": tuple(f"efficientnet_b{size}" for size in range(3)),
    "ConvNeXt": tuple(f"convnext_{size}" for size in ("tiny", "small", "base", "large")),
    "ViT": tuple(f"deit_{size}" for size in ("tiny", "small", "base", "large")),
}
"""Architectures that were trained at all points of the grid."""

BLOCKS = ["1-0-0-0", "1-0-0-1", "1-0-0-2", "1-0-1-0", "1-1-0-0", "1-1-1-0", "1-1-1-1", "1-1-1-2", "1-1-2-2", "1-2-2-2", "2-2-2-2"]
FLEX = {
    "ResNetFlex": (
        *(f"resnetflexfilters-d-{blocks}" for blocks in BLOCKS),
        *(f"resnetflexfilters-f-1-16-20-{width}" for width in range(20)),
        *(f"resnetflexfilters_wr-4-1-2-4-{width}" for width in range(3)),
    ),
    "ConvNeXtFlex": tuple(f"convnextflex-l-{width}" for width in range(4)),
    "ViTFlex": tuple(f"deitflex-l-{width}" for width in range(4)),
}
"""Architectures of varied depth and width. Each architecture was trained once on each full training set."""

AVERAGED = ("ConvNeXt", "ViT")
"""Families that, with their flex families, were trained for 300 epochs. Their files also have averaged weights."""

NEVER_RUN = {
    "efficientnet_b0_imagenet_1_seed-2",
    "efficientnet_b1_imagenet_1_seed-2",
    "efficientnet_b2_imagenet_100_seed-2",
    "resnetflexfilters-d-1-1-1-2_ecoset_full_seed-0",
}


@dataclass(frozen=True)
class Checkpoint:
    """A published run. ``reference`` is the id of its reference model."""

    id: str
    arch: str
    family: str
    dataset: str
    samples_per_class: int
    seed: int
    n_samples: int
    epochs: int
    reference: str


def model_id(arch: str, dataset: str, samples_per_class: int, seed: int) -> str:
    """Return the published id of a run, ``<arch>_<dataset>_<images per class or full>[_seed-<k>]``.

    The first runs of ResNet, EfficientNet and the widened ResNets on full training sets have no seed in their ids.
    """
    size = "full" if samples_per_class == FULL_SET else str(samples_per_class)
    unnamed_seed = arch in NAMED["ResNet"] + NAMED["EfficientNet"] or "_wr-" in arch
    suffix = "" if unnamed_seed and samples_per_class == FULL_SET and seed == 0 else f"_seed-{seed}"
    return f"{arch}_{dataset}_{size}{suffix}"


def checkpoint_url(model_id: str, epoch: int) -> str:
    """Return the address of the published state of a run after ``epoch`` epochs."""
    return f"https://epfl-neuroailab-scalinglaws.s3.eu-north-1.amazonaws.com/checkpoints/{model_id}/ep{epoch}.pt"


def checkpoints() -> Iterator[Checkpoint]:
    for grid, sizes in ((NAMED, SEEDS), (FLEX, {FULL_SET: 1})):
        archs = [(family, arch) for family, archs in grid.items() for arch in archs]
        runs = [(samples, seed) for samples, seeds in sizes.items() for seed in range(seeds)]
        for (family, arch), dataset, (samples, seed) in product(archs, FULL, runs):
            id, reference = model_id(arch, dataset, samples, seed), model_id(arch, "imagenet", FULL_SET, 0)
            n_samples, epochs = samples * CLASSES[dataset] or FULL[dataset], 300 if family.startswith(AVERAGED) else 100
            if id not in NEVER_RUN:
                yield Checkpoint(id, arch, family, dataset, samples, seed, n_samples, epochs, reference)
