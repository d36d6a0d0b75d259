"""Fit scaling laws of parameters and samples together; write laws, the compute-optimal split, and the models behind them."""

from pathlib import Path
from typing import Any

from cortexscale.logs import logged
from cortexscale.scaling.allocation import fit_model_and_data
from cortexscale.stores import provenance, read_table, write_table


def main(fits: Path, curves: Path, points: Path, table: Path, settings: dict[str, Any], code: str) -> None:
    pretraining = read_table(table, columns=("model_id", "benchmark_name", "roi", "pearsonr_nc"))
    rows, optima, models = fit_model_and_data(pretraining, settings)
    made_by = provenance(inputs={"pretraining": table}, **settings, code=code)
    for result, path in ((optima, curves), (models, points), (rows, fits)):
        write_table(result, path, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        out, params = snakemake.output, snakemake.params
        main(Path(out.fits), Path(out.curves), Path(out.points), Path(snakemake.input.table), params.settings, params.code)
