"""Download the published score table from the authors' repository, and verify its checksum."""

from pathlib import Path

from cortexscale.download import fetch
from cortexscale.jobs import run


def main(*, url: str, sha256: str | None, scores: Path) -> None:
    fetch(url, scores, sha256=sha256)


if "snakemake" in globals():
    run(main, snakemake)
