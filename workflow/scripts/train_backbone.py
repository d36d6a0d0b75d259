"""Train one model of a suite on labelled images; write weights, a report of the training and the list of its images."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.models.training.job import TrainingJob, launch
from cortexscale.recipe import Recipe


def main(
    *,
    model: Model,
    recipe: Recipe,
    images: Path,
    base: Path | None = None,
    weights: Path,
    report: Path,
    training_set: Path,
    gpu: int,
    threads: int,
    log: Path,
    code: str,
) -> None:
    job = TrainingJob(model, recipe, images, base, weights, report, training_set, workers=threads - 1, code=code)
    launch(job, gpu, log)


if "snakemake" in globals():
    run(main, snakemake)
