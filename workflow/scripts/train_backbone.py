"""Train one model of a suite on labelled images; write weights, a report of the training and the list of its images."""

from pathlib import Path
from typing import Any

from cortexscale.logs import logged
from cortexscale.models.training.job import launch


def main(
    weights: Path,
    report: Path,
    training_set: Path,
    images: str,
    base: list[str],
    model: dict[str, Any],
    recipe: dict[str, Any],
    gpus: int,
    workers: int,
    log: str,
    code: str,
) -> None:
    files = {"weights": str(weights), "report": str(report), "training_set": str(training_set), "images": images}
    files["base"] = base[0] if base else None
    launch({**files, "model": model, "recipe": recipe, "workers": workers, "code": code}, gpus, log)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        out, params = snakemake.output, snakemake.params
        main(
            Path(out.weights),
            Path(out.report),
            Path(out.training_set),
            snakemake.input.images,
            list(snakemake.input.base),
            params.model,
            params.recipe,
            snakemake.resources.gpu,
            snakemake.threads - 1,
            snakemake.log[0],
            params.code,
        )
