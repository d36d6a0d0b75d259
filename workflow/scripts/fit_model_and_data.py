"""Fit scaling laws of parameters and samples together; write laws, the compute-optimal split, and the models that were fitted."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.scaling.allocation import fit_model_and_data
from cortexscale.stores import provenance, read_table, write_table
from cortexscale.study.fits import FitSettings


def main(*, table: Path, settings: FitSettings, fits: Path, curves: Path, points: Path, code: str) -> None:
    pretraining = read_table(table, columns=("model_id", "benchmark_name", "roi", "pearsonr_nc"))
    rows, optima, models = fit_model_and_data(pretraining, settings)
    made_by = provenance(inputs={"pretraining": table}, settings=settings, code=code)
    for result, path in ((optima, curves), (models, points), (rows, fits)):
        write_table(result, path, made_by)


if "snakemake" in globals():
    run(main, snakemake)
