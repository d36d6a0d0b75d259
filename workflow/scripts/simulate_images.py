"""Paint the images of the demo study: labelled task images, and stimuli in the layout of THINGS."""

from pathlib import Path

import numpy as np

from cortexscale.files import whole_file
from cortexscale.jobs import run
from cortexscale.simulation.images import render, write_things


def main(
    *,
    image_size: int,
    task_images: int,
    validation_images: int,
    concepts: int,
    images_per_concept: int,
    seed: int,
    task: Path,
    things: Path,
) -> None:
    train, validation = render(task_images, seed, image_size), render(validation_images, seed + 1, image_size)
    with whole_file(task) as part, part.open("wb") as file:
        np.savez(
            file,
            train_images=train[0],
            train_labels=train[1],
            validation_images=validation[0],
            validation_labels=validation[1],
        )
    write_things(things, concepts, images_per_concept, seed + 2)


if "snakemake" in globals():
    run(main, snakemake)
