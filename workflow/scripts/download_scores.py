"""The published score table from the authors' repository, with its checksum verified."""

from pathlib import Path

from cortexscale.download import fetch
from cortexscale.logs import logged


def main(url: str, sha256: str, output: Path) -> None:
    fetch(url, output, sha256=sha256)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(snakemake.params.url, snakemake.params.sha256, Path(snakemake.output.scores))
