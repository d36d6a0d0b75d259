"""The demo study's monkeys: brain and stimuli -> files as TVSD was released, and their truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.logs import logged
from cortexscale.models.build import load_network
from cortexscale.simulation.subjects import open_pictures, simulate_monkey, write_generating_features
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem
from cortexscale.stimuli import stimulus_table, table_hash


def main(
    truth: Sequence[Path],
    features: Path,
    weights: Path,
    task: Path,
    things: Path,
    simulation: dict[str, Any],
    monkeys: Sequence[str],
    path: Path,
) -> None:
    size, seed, options = simulation["image_size"], simulation["seed"], simulation["tvsd"]
    brain = VisualSystem(load_network({**HIDDEN_NETWORK, "checkpoint": str(weights)}), np.load(task)["validation_images"])
    table = stimulus_table("image_folder", things)
    ids = table["stimulus_id"].to_numpy()
    latents = brain.look(open_pictures([things / id for id in ids], size))
    per_concept = options["images_per_concept"] + 1
    number = np.arange(len(ids)) % per_concept
    rows = np.random.default_rng(seed).permutation(len(ids))
    train, test = (rows[(number[rows] == options["images_per_concept"]) == last] for last in (False, True))
    write_generating_features(features, latents, table_hash(table))
    for index, (monkey, file) in enumerate(zip(monkeys, truth, strict=True)):
        simulate_monkey(
            path,
            monkey,
            brain,
            latents,
            ids,
            train,
            test,
            repetitions=options["repetitions"],
            live_electrodes=options["live_electrodes"],
            seed=seed + 10 * (index + 1),
        ).save(file)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out, params = snakemake.input, snakemake.output, snakemake.params
        main(
            [Path(file) for file in out.truth],
            Path(out.features),
            Path(source.weights),
            Path(source.task),
            Path(source.things),
            params.simulation,
            params.monkeys,
            Path(params.path),
        )
