"""Draw one figure from result tables, as pdf, png and svg, and write the plotted numbers as csv."""

import importlib
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from cortexscale.figures.style import use_style
from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.stores import read_table


def main(outputs: dict[str, Path], tables: dict[str, Path], module: str, labels: dict[str, str]) -> None:
    use_style()
    draw = importlib.import_module(f"cortexscale.figures.{module}").draw
    drawing, numbers = draw({name: read_table(path) for name, path in tables.items()}, labels)
    for kind in ("pdf", "png", "svg"):
        undated = {} if kind == "png" else {"metadata": {"CreationDate": None} if kind == "pdf" else {"Date": None}}
        with whole_file(outputs[kind]) as part:
            drawing.savefig(part, format=kind, **undated)
    with whole_file(outputs["csv"]) as part:
        numbers.to_csv(part, index=False)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        tables = {name: Path(path) for name, path in snakemake.input.items()}
        main(outputs, tables, snakemake.params.module, snakemake.params.labels)
