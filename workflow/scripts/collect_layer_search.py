"""All reference models: layer-search tables -> one table."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.alignment.collect import layer_search_table
from cortexscale.logs import logged
from cortexscale.stores import provenance, write_table


def main(table: Path, searches: Sequence[Path], code: str) -> None:
    write_table(layer_search_table(searches), table, provenance(code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(Path(snakemake.output.table), [Path(file) for file in snakemake.input.searches], snakemake.params.code)
