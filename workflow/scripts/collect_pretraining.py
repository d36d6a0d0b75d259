"""Join the alignment tables and cards of all models in one table."""

from pathlib import Path

from cortexscale.alignment.collect import pretraining_table
from cortexscale.jobs import run
from cortexscale.stores import provenance, write_table


def main(*, alignment: list[Path], cards: Path, table: Path, code: str) -> None:
    write_table(pretraining_table(alignment, cards), table, provenance(inputs={"cards": cards}, code=code))


if "snakemake" in globals():
    run(main, snakemake)
