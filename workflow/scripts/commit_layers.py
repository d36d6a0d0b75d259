"""Choose one layer per dataset and ROI for one reference model, from its table of layer scores."""

from pathlib import Path

from cortexscale.alignment.commit import commit_layers
from cortexscale.jobs import run
from cortexscale.stores import provenance, read_table


def main(*, table: Path, model: str, commitments: Path, code: str) -> None:
    search = read_table(table, columns=("benchmark_name", "roi", "layer_name", "cv_score"))
    commit_layers(search, model).save(commitments, provenance(inputs={"layer_search": table}, code=code))


if "snakemake" in globals():
    run(main, snakemake)
