"""Make the report, one HTML file with figures, tables, quality, cost and origins of a study."""

from pathlib import Path

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.pages.report import Contents, report_page


def main(output: Path, contents: Contents) -> None:
    with whole_file(output) as part:
        part.write_text(report_page(contents), encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        files = {name: [Path(file) for file in snakemake.input[name]] for name in ("tables", "checks", "fits")}
        params = {name: snakemake.params[name] for name in ("config", "labels", "figures", "pages")}
        output = Path(snakemake.output.page)
        main(output, Contents(root=output.parent, **files, **params))
