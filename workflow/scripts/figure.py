"""Draw one figure from result tables, as pdf, png and svg, and write the plotted numbers as csv."""

import logging
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

from cortexscale.figures.content import NothingToShow
from cortexscale.figures.drawing import draw
from cortexscale.figures.gallery import Drawing
from cortexscale.figures.panels import blank
from cortexscale.figures.style import STYLE
from cortexscale.files import whole_file
from cortexscale.jobs import run
from cortexscale.stores import read_table


def main(*, tables: list[Path], drawing: Drawing, pdf: Path, png: Path, svg: Path, csv: Path) -> None:
    mpl.rcParams.update(STYLE)
    named = {name: read_table(path) for name, path in zip(drawing.tables, tables, strict=True)}
    try:
        figure, numbers = draw(drawing, named)
    except NothingToShow as reason:
        logging.warning("%s", reason)
        figure, numbers = blank(drawing.title, reason)
    about = {"Title": f"{drawing.heading}: {drawing.title}"}
    metadata = {
        pdf: about | {"Subject": drawing.caption, "CreationDate": None},
        png: about | {"Description": drawing.caption},
        svg: about | {"Description": drawing.caption, "Date": None},
    }
    for path, described in metadata.items():
        with whole_file(path) as part:
            figure.savefig(part, format=path.suffix[1:], metadata=described)
    with whole_file(csv) as part:
        numbers.to_csv(part, index=False)


if "snakemake" in globals():
    run(main, snakemake)
