"""Join the layer-search tables of all reference models in one table."""

from pathlib import Path

from cortexscale.alignment.collect import joined
from cortexscale.jobs import run
from cortexscale.stores import provenance, write_table


def main(*, searches: list[Path], table: Path, code: str) -> None:
    write_table(joined(searches, "cv_score"), table, provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
