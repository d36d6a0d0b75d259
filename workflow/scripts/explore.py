"""Make the explore page, one HTML file with tables of scores and scaling laws."""

from pathlib import Path

from cortexscale.figures.content import FigureDataset
from cortexscale.files import whole_file
from cortexscale.jobs import run
from cortexscale.pages.explore import explore_data, explore_page
from cortexscale.stores import read_table


def main(
    *,
    tables: list[Path],
    fits: list[Path],
    curves: list[Path],
    points: list[Path],
    page: Path,
    study: str,
    datasets: dict[str, FigureDataset],
    composite_rois: bool,
) -> None:
    laws = {
        fit.name.removesuffix(".parquet"): {"fits": read_table(fit), "curves": read_table(curve), "points": read_table(of)}
        for fit, curve, of in zip(fits, curves, points, strict=True)
    }
    data = explore_data({file.stem: read_table(file) for file in tables}, laws, datasets, study, composite_rois)
    with whole_file(page) as part:
        part.write_text(explore_page(data), encoding="utf-8")


if "snakemake" in globals():
    run(main, snakemake)
