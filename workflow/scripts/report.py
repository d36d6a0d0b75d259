"""Make the report, one HTML file with figures, tables, quality, cost and origins of a study."""

from pathlib import Path
from typing import Any

from cortexscale.figures.gallery import Drawing
from cortexscale.files import whole_file
from cortexscale.jobs import run
from cortexscale.pages.report import Contents, report_page


def main(
    *,
    tables: list[Path],
    checks: list[Path],
    fits: list[Path],
    page: Path,
    config: dict[str, Any],
    labels: dict[str, str],
    figures: list[Drawing],
    pages: list[str],
) -> None:
    contents = Contents(
        root=page.parent, config=config, labels=labels, figures=figures, tables=tables, checks=checks, fits=fits, pages=pages
    )
    with whole_file(page) as part:
        part.write_text(report_page(contents), encoding="utf-8")


if "snakemake" in globals():
    run(main, snakemake)
