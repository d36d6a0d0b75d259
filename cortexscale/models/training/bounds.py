"""Costs of the training of a backbone."""

from cortexscale.costs import Cost, Machine
from cortexscale.models.bounds import Network

PASSES = 3
"""Ratio of the time of a training step to that of a forward pass: the backward pass takes as long as two."""


def backbone_training(machine: Machine, network: Network, *, images_seen: int, gpus: int, arrays: float | None) -> Cost:
    """Cost of training one backbone.

    start_network + images seen x max(3 FLOPs / forward / GPUs, 1 / images), without 1 / images where they come as one array;
    memory: per GPU 4 GB, 16 bytes per parameter and the array twice, or 16 GB for all that read images

    Args:
        machine: where it runs.
        network: sizes of the network.
        images_seen: number of images in all steps.
        gpus: number of processes that share the images of a step.
        arrays: bytes of an image set in one file, which every process holds; None if images are read one by one.
    """
    seconds = PASSES * network.flops / machine.forward / gpus
    if arrays is None:
        seconds = max(seconds, 1 / machine.images)
    memory = gpus * (4e9 + 16 * network.parameters + 2 * (arrays or 0)) + (16e9 if arrays is None else 0)
    return Cost(machine.start_network + images_seen * seconds, memory, resumes=True)
