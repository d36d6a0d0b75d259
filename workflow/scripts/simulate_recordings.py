"""Simulate the subjects of one dataset of the demo study; write files as they were released, and their truth."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.datasets.readers import load_simulator
from cortexscale.logs import logged
from cortexscale.models.build import load_network
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem
from cortexscale.simulation.world import World


def main(
    released: Path,
    truth: Path,
    weights: Path,
    task: Path,
    things: Path,
    dataset: str,
    reader: str,
    subjects: Sequence[str],
    settings: dict[str, Any],
    image_size: int,
    seed: int,
) -> None:
    module = load_simulator(reader)
    brain = VisualSystem(load_network({**HIDDEN_NETWORK, "checkpoint": str(weights)}), np.load(task)["validation_images"])
    world = World(brain, image_size, things)
    for subject, recording in module.simulate(released, subjects, world, module.Settings(**settings), seed):
        replace(recording, dataset=dataset).save(truth / f"{subject}.h5")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out, params = snakemake.input, snakemake.output, snakemake.params
        main(
            Path(out.released),
            Path(out.truth),
            Path(source.weights),
            Path(source.task),
            Path(source.things),
            params.dataset,
            params.reader,
            params.subjects,
            params.settings,
            params.image_size,
            params.seed,
        )
