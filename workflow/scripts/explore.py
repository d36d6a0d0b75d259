"""Make the explore page, one HTML file with tables of scores and scaling laws."""

from pathlib import Path

from cortexscale.figures.content import FigureDataset
from cortexscale.files import write_text
from cortexscale.jobs import run
from cortexscale.pages.explore import explore_data, explore_page
from cortexscale.stores import read_table
from cortexscale.study.fits import AverageSettings


def main(
    *,
    tables: list[Path],
    fits: list[Path],
    curves: list[Path],
    points: list[Path],
    study: str,
    datasets: dict[str, FigureDataset],
    averages: AverageSettings,
    page: Path,
) -> None:
    laws = {
        fit.name.removesuffix(".parquet"): {"fits": read_table(fit), "curves": read_table(curve), "points": read_table(of)}
        for fit, curve, of in zip(fits, curves, points, strict=True)
    }
    data = explore_data({file.stem: read_table(file) for file in tables}, laws, datasets, study, averages)
    write_text(page, explore_page(data))


if "snakemake" in globals():
    run(main, snakemake)
