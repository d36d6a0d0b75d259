"""Download one checkpoint of the published suite from the authors' server."""

from pathlib import Path

from cortexscale.download import fetch
from cortexscale.jobs import run
from cortexscale.models.spvvs import checkpoint_url


def main(*, model: str, epoch: int, weights: Path) -> None:
    fetch(checkpoint_url(model, epoch), weights)


if "snakemake" in globals():
    run(main, snakemake)
