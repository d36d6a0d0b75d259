"""One published table, from the Hugging Face hub."""

from pathlib import Path

from cortexscale.logs import logged
from cortexscale.published.download import download_table


def main(repo: str, revision: str, table: Path) -> None:
    download_table(repo, revision, table)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(snakemake.params.repo, snakemake.params.revision, Path(snakemake.output.table))
