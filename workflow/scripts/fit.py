"""One pretraining axis: table of scores -> scaling laws and their curves."""

from pathlib import Path
from typing import Any

from cortexscale.logs import logged
from cortexscale.scaling.pretraining import fit_axis
from cortexscale.stores import provenance, read_table, write_table


def main(fits: Path, curves: Path, table: Path, axis: str, form: str, settings: dict[str, Any], code: str) -> None:
    pretraining = read_table(table, columns=("model_id", "benchmark_name", "roi", "pearsonr_nc"))
    rows, lines = fit_axis(pretraining, axis, form, settings)
    made_by = provenance(inputs={"pretraining": table}, form=form, **settings, code=code)
    write_table(rows, fits, made_by)
    write_table(lines, curves, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        out, params = snakemake.output, snakemake.params
        table = Path(snakemake.input.table)
        main(Path(out.fits), Path(out.curves), table, params.axis, params.form, params.settings, params.code)
