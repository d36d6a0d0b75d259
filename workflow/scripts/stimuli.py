"""One stimulus set: released images -> table of ids and hashes."""

from pathlib import Path

from cortexscale.logs import logged
from cortexscale.stimuli import stimulus_table
from cortexscale.stores import provenance, write_table


def main(table: Path, layout: str, path: Path, code: str) -> None:
    write_table(stimulus_table(layout, path), table, provenance(layout=layout, path=str(path), code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        main(Path(snakemake.output.table), params.layout, Path(params.path), params.code)
