"""The scores of all projections and models -> one table."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.alignment.collect import projection_table
from cortexscale.logs import logged
from cortexscale.stores import provenance, write_table


def main(table: Path, scores: Sequence[Path], code: str) -> None:
    write_table(projection_table(scores), table, provenance(code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(Path(snakemake.output.table), [Path(file) for file in snakemake.input.scores], snakemake.params.code)
