"""Report the weights, layers and costs of one model of the study; the job fails if something is wrong."""

from pathlib import Path

from cortexscale.check.model import check_model
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.study.features import Projection


def main(*, model: Model, projection: Projection, batch_size: int, asked_mb: int, weights_follow: bool, report: Path) -> None:
    check_model(model, batch_size, projection, asked_mb, weights_follow).publish(report)


if "snakemake" in globals():
    run(main, snakemake)
