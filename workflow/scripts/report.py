"""Make the report, one HTML file with figures, tables, quality, cost and origins of a study."""

from pathlib import Path
from typing import Any

from cortexscale.figures.gallery import Drawing
from cortexscale.files import write_text
from cortexscale.jobs import run
from cortexscale.pages.report import report_page


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
    text = report_page(
        root=page.parent, config=config, labels=labels, figures=figures, tables=tables, checks=checks, fits=fits, pages=pages
    )
    write_text(page, text)


if "snakemake" in globals():
    run(main, snakemake)
