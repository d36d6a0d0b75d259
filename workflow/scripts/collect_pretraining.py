"""All models: alignment tables and cards -> one table."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.alignment.collect import pretraining_table
from cortexscale.logs import logged
from cortexscale.stores import provenance, write_table


def main(table: Path, alignment: Sequence[Path], cards: Path, code: str) -> None:
    write_table(pretraining_table(alignment, cards), table, provenance(inputs={"cards": cards}, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source = snakemake.input
        main(
            Path(snakemake.output.table),
            [Path(file) for file in source.alignment],
            Path(source.cards),
            snakemake.params.code,
        )
