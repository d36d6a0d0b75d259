"""The mapping axis: table of scores -> scaling laws, their curves and points; Tables 2 and S4."""

from pathlib import Path
from typing import Any

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.scaling.mapping import TABLE2, fit_mapping, readable, readout_table
from cortexscale.stores import provenance, read_table, write_table


def main(outputs: dict[str, Path], table: Path, labels: dict[str, str], settings: dict[str, Any], code: str) -> None:
    mapping = read_table(table, columns=("probe_type", "data_pct", "pearsonr_nc", "n_params_per_subject"))
    made_by = provenance(inputs={"mapping": table}, **settings, code=code)
    fits, curves, points = fit_mapping(mapping, settings)
    for name, readouts, parameters in (
        ("table2", TABLE2, "n_params_mean"),
        ("tableS4", None, "n_params_geometric_mean"),
    ):
        side_by_side = readout_table(mapping, fits, readouts)
        write_table(side_by_side, outputs[f"{name}_parquet"], made_by)
        for kind, text in (
            ("csv", side_by_side.to_csv(index=False)),
            ("md", readable(side_by_side, labels, parameters)),
        ):
            with whole_file(outputs[f"{name}_{kind}"]) as part:
                part.write_text(text)
    for name, result in (("curves", curves), ("points", points), ("fits", fits)):
        write_table(result, outputs[name], made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        main(outputs, Path(snakemake.input.table), snakemake.params.labels, snakemake.params.settings, snakemake.params.code)
