"""One pretraining axis: table of scores -> scaling laws, their curves, and the models behind them."""

from pathlib import Path
from typing import Any

from cortexscale.logs import logged
from cortexscale.scaling.pretraining import fit_axis
from cortexscale.stores import provenance, read_table, write_table


def main(fits: Path, curves: Path, points: Path, table: Path, axis: str, form: str, settings: dict[str, Any], code: str) -> None:
    pretraining = read_table(table, columns=("model_id", "benchmark_name", "roi", "pearsonr_nc"))
    rows, lines, models = fit_axis(pretraining, axis, form, settings)
    made_by = provenance(inputs={"pretraining": table}, form=form, **settings, code=code)
    for result, path in ((lines, curves), (models, points), (rows, fits)):
        write_table(result, path, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        out, params = snakemake.output, snakemake.params
        table = Path(snakemake.input.table)
        main(Path(out.fits), Path(out.curves), Path(out.points), table, params.axis, params.form, params.settings, params.code)
