"""Simulate the subjects of one dataset of the demo study; write files in the released formats, and the true responses."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.datasets.readers import load_simulator
from cortexscale.jobs import run
from cortexscale.models.build import load_backbone
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem, World


def main(
    *,
    weights: Path,
    task: Path,
    things: Path,
    dataset: str,
    reader: str,
    subjects: list[str],
    settings: dict[str, Any],
    image_size: int,
    seed: int,
    released: Path,
    truth: Path,
) -> None:
    module, network = load_simulator(reader), load_backbone(replace(HIDDEN_NETWORK, checkpoint=str(weights))).network
    world = World(VisualSystem(network, np.load(task)["validation_images"]), image_size, things)
    for subject, recording in module.simulate(released, subjects, world, module.Settings(**settings), seed):
        replace(recording, dataset=dataset).save(truth / f"{subject}.h5")


if "snakemake" in globals():
    run(main, snakemake)
