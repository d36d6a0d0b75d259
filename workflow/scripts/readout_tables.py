"""Make Tables 2 and S4 from the scores of the mapping axis and their scaling laws."""

from pathlib import Path

from cortexscale.alignment.averages import averaged_rows
from cortexscale.jobs import run
from cortexscale.scaling.mapping import TABLE2, readable, readout_table
from cortexscale.stores import provenance, read_table, write_readable
from cortexscale.study.fits import AverageSettings


def main(
    *,
    table: Path,
    fits: Path,
    labels: dict[str, str],
    averages: AverageSettings,
    table2: list[Path],
    tableS4: list[Path],
    code: str,
) -> None:
    mapping, laws = read_table(table, columns=("probe_type", "data_pct", "pearsonr_nc", "n_params_per_subject")), read_table(fits)
    mapping = averaged_rows(mapping, averages)
    made_by = provenance(inputs={"mapping": table, "fits": fits}, averages=averages, code=code)
    for files, readouts, parameters in (
        (table2, TABLE2, "n_params_mean"),
        (tableS4, None, "n_params_geometric_mean"),
    ):
        side_by_side = readout_table(mapping, laws, readouts)
        write_readable(side_by_side, readable(side_by_side, labels, parameters), files, made_by)


if "snakemake" in globals():
    run(main, snakemake)
