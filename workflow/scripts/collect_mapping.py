"""Join the mapping tables of all datasets and readouts in a table of scores, and their gates in a table of layer weights."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.readouts.table import gates_table, mapping_table
from cortexscale.stores import provenance, write_table


def main(*, mappings: list[Path], layer_gates: list[Path], table: Path, gates: Path, code: str) -> None:
    made_by = provenance(code=code)
    write_table(gates_table(layer_gates), gates, made_by)
    write_table(mapping_table(mappings), table, made_by)


if "snakemake" in globals():
    run(main, snakemake)
