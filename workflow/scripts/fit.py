"""Fit the scaling laws of one axis to its result table; write laws, curves and points."""

from pathlib import Path

from cortexscale.catalogue.axes import Form
from cortexscale.jobs import run
from cortexscale.scaling.laws import fit_axis
from cortexscale.stores import provenance, read_table, write_table
from cortexscale.study.fits import AxisName, FitSettings


def main(
    *,
    table: Path,
    axis: AxisName,
    form: Form,
    settings: FitSettings,
    metric: str,
    fits: Path,
    curves: Path,
    points: Path,
    code: str,
) -> None:
    scores = read_table(table, columns=("benchmark_name", "roi", metric))
    rows, lines, models = fit_axis(scores, axis, form, settings, metric)
    made_by = provenance(inputs={"table": table}, axis=axis, form=form, settings=settings, metric=metric, code=code)
    for result, path in ((lines, curves), (models, points), (rows, fits)):
        write_table(result, path, made_by)


if "snakemake" in globals():
    run(main, snakemake)
