"""Make Tables 2 and S4 from the scores of the mapping axis and their scaling laws."""

from pathlib import Path

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.scaling.mapping import TABLE2, readable, readout_table
from cortexscale.stores import provenance, read_table, write_table


def main(outputs: dict[str, Path], table: Path, fits: Path, labels: dict[str, str], code: str) -> None:
    mapping, laws = read_table(table, columns=("probe_type", "data_pct", "pearsonr_nc", "n_params_per_subject")), read_table(fits)
    made_by = provenance(inputs={"mapping": table, "fits": fits}, code=code)
    for name, readouts, parameters in (
        ("table2", TABLE2, "n_params_mean"),
        ("tableS4", None, "n_params_geometric_mean"),
    ):
        side_by_side = readout_table(mapping, laws, readouts)
        write_table(side_by_side, outputs[f"{name}_parquet"], made_by)
        for kind, text in (
            ("csv", side_by_side.to_csv(index=False)),
            ("md", readable(side_by_side, labels, parameters)),
        ):
            with whole_file(outputs[f"{name}_{kind}"]) as part:
                part.write_text(text, encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        outputs, source = {name: Path(path) for name, path in snakemake.output.items()}, snakemake.input
        main(outputs, Path(source.table), Path(source.fits), snakemake.params.labels, snakemake.params.code)
