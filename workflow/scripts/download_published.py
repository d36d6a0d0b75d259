"""Download one published table from the Hugging Face hub."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.published.download import download_table


def main(*, repo: str, revision: str, table: Path) -> None:
    download_table(repo, revision, table)


if "snakemake" in globals():
    run(main, snakemake)
