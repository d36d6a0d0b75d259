"""The demo study's pictures: labelled task images, and stimuli in the layout of THINGS."""

from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.simulation.images import render, write_things


def main(task: Path, things: Path, simulation: dict[str, Any]) -> None:
    size, seed, stimuli = simulation["image_size"], simulation["seed"], simulation["things"]
    images, labels = render(simulation["task_images"], seed, size)
    validation_images, validation_labels = render(simulation["validation_images"], seed + 1, size)
    with whole_file(task) as part, part.open("wb") as file:
        np.savez(
            file,
            train_images=images,
            train_labels=labels,
            validation_images=validation_images,
            validation_labels=validation_labels,
        )
    write_things(things, stimuli["concepts"], stimuli["images_per_concept"], seed + 2)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(Path(snakemake.output.task), Path(snakemake.output.things), snakemake.params.simulation)
