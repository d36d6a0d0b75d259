"""Sum up the time and memory of every stage from Snakemake's benchmark files."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.qc.cost import cost_table, readable
from cortexscale.stores import provenance, write_readable


def main(*, benchmarks: Path, table: Path, csv: Path, markdown: Path, code: str) -> None:
    costs = cost_table(benchmarks)
    write_readable(costs, readable(costs), (csv, markdown, table), provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
