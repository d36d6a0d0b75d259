"""Join the scores of all projections and models in one table."""

from pathlib import Path

from cortexscale.alignment.collect import joined
from cortexscale.jobs import run
from cortexscale.stores import provenance, write_table


def main(*, scores: list[Path], table: Path, code: str) -> None:
    write_table(joined(scores, "dimensions", "pearsonr_nc"), table, provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
