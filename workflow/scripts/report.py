"""Make the report, one HTML file with figures, tables, quality, cost and origins of a study."""

from pathlib import Path
from typing import Any

from cortexscale.figures.gallery import Drawing
from cortexscale.files import write_text
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
    write_text(page, report_page(contents))


if "snakemake" in globals():
    run(main, snakemake)
