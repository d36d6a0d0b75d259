"""Make the explore page, one HTML file with tables of scores and scaling laws."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.pages.explore import explore_data, explore_page
from cortexscale.stores import read_table


def main(
    output: Path,
    tables: Sequence[Path],
    fits: dict[str, Sequence[Path]],
    study: str,
    labels: dict[str, str],
    composite_rois: bool,
) -> None:
    names = [file.name.removesuffix(".parquet") for file in fits["fits"]]
    laws = {name: {what: read_table(files[place]) for what, files in fits.items()} for place, name in enumerate(names)}
    data = explore_data({file.stem: read_table(file) for file in tables}, laws, labels, study, composite_rois)
    with whole_file(output) as part:
        part.write_text(explore_page(data), encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params = snakemake.input, snakemake.params
        fits = {what: [Path(file) for file in source[what]] for what in ("fits", "curves", "points")}
        tables = [Path(file) for file in source.tables]
        main(Path(snakemake.output.page), tables, fits, params.study, params.labels, params.composite_rois)
