"""One published table -> the same in the names of this product."""

from pathlib import Path

from cortexscale.logs import logged
from cortexscale.published.normalise import published_table
from cortexscale.stores import provenance, write_table


def main(table: Path, published: Path, name: str, code: str) -> None:
    write_table(published_table(published, name), table, provenance(inputs={"published": published}, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        table, published = Path(snakemake.output.table), Path(snakemake.input.published)
        main(table, published, snakemake.params.name, snakemake.params.code)
