"""All datasets and readouts: mapping tables -> one table, and one of the gates of all layer gates."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.logs import logged
from cortexscale.readouts.table import gates_table, mapping_table
from cortexscale.stores import provenance, write_table


def main(table: Path, gates: Path, mappings: Sequence[Path], gate_files: Sequence[Path], code: str) -> None:
    made_by = provenance(code=code)
    write_table(gates_table(gate_files), gates, made_by)
    write_table(mapping_table(mappings), table, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out = snakemake.input, snakemake.output
        mappings, gates = ([Path(file) for file in files] for files in (source.mappings, source.gates))
        main(Path(out.table), Path(out.gates), mappings, gates, snakemake.params.code)
