"""List the images of one stimulus set with their ids and hashes."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.stimuli import stimulus_table
from cortexscale.stores import provenance, write_table


def main(*, layout: str, path: Path, table: Path, code: str) -> None:
    write_table(stimulus_table(layout, path), table, provenance(layout=layout, path=str(path), code=code))


if "snakemake" in globals():
    run(main, snakemake)
