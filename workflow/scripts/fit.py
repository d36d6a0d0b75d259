"""Fit the scaling laws of one axis to its result table; write laws, curves and points."""

from pathlib import Path
from typing import Any

from cortexscale.logs import logged
from cortexscale.scaling.laws import fit_axis
from cortexscale.stores import provenance, read_table, write_table


def main(fits: Path, curves: Path, points: Path, table: Path, job: dict[str, Any], code: str) -> None:
    rows, lines, models = fit_axis(read_table(table, columns=("benchmark_name", "roi", job["metric"])), **job)
    made_by = provenance(inputs={"table": table}, **job, code=code)
    for result, path in ((lines, curves), (models, points), (rows, fits)):
        write_table(result, path, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        out, params = snakemake.output, snakemake.params
        main(Path(out.fits), Path(out.curves), Path(out.points), Path(snakemake.input.table), params.job, params.code)
