"""Rename the columns of one published table to those of this package."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.published.tables import published_table
from cortexscale.stores import provenance, write_table


def main(*, published: Path, name: str, table: Path, code: str) -> None:
    write_table(published_table(published, name), table, provenance(inputs={"published": published}, code=code))


if "snakemake" in globals():
    run(main, snakemake)
