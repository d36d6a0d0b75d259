"""One checkpoint of the published suite, from the authors' server."""

from pathlib import Path

from cortexscale.download import fetch
from cortexscale.logs import logged
from cortexscale.models.spvvs import checkpoint_url


def main(model: str, epoch: int, output: Path) -> None:
    fetch(checkpoint_url(model, epoch), output)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(snakemake.params.model, snakemake.params.epoch, Path(snakemake.output.weights))
