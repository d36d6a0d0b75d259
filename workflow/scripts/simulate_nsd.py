"""The demo study's humans: brain and images -> files as NSD was released, and their truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.logs import logged
from cortexscale.models.build import load_network
from cortexscale.simulation.images import render
from cortexscale.simulation.nsd import plan_experiment, write_nsd_shared
from cortexscale.simulation.subjects import simulate_human, write_generating_features
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem
from cortexscale.stimuli import stimulus_table, table_hash


def main(truth: Sequence[Path], features: Path, weights: Path, task: Path, simulation: dict[str, Any], path: Path) -> None:
    size, seed, options = simulation["image_size"], simulation["seed"], simulation["nsd"]
    brain = VisualSystem(load_network({**HIDDEN_NETWORK, "checkpoint": str(weights)}), np.load(task)["validation_images"])
    experiment = plan_experiment(len(options["sessions"]), options["planned_sessions"], options["shared_images"], seed)
    images, _ = render(experiment.n_images, seed + 3, size)
    latents = brain.look(images)
    write_nsd_shared(path, experiment, images)
    stimuli = stimulus_table("nsd", path / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5")
    write_generating_features(features, latents, table_hash(stimuli))
    for index, ((subject, sessions), file) in enumerate(zip(options["sessions"].items(), truth, strict=True)):
        simulate_human(
            path,
            subject,
            brain,
            latents,
            experiment,
            sessions=sessions,
            voxels_per_parcel=options["voxels_per_parcel"],
            seed=seed + 100 * (index + 1),
        ).save(file)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out, params = snakemake.input, snakemake.output, snakemake.params
        main(
            [Path(file) for file in out.truth],
            Path(out.features),
            Path(source.weights),
            Path(source.task),
            params.simulation,
            Path(params.path),
        )
