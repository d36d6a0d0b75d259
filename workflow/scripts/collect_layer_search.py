"""Join the layer-search tables of all reference models in one table."""

from pathlib import Path

from cortexscale.alignment.collect import layer_search_table
from cortexscale.jobs import run
from cortexscale.stores import provenance, write_table


def main(*, searches: list[Path], table: Path, code: str) -> None:
    write_table(layer_search_table(searches), table, provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
