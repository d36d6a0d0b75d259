"""Download one file of the section `downloads`, and verify its checksum."""

from pathlib import Path

from cortexscale.download import fetch
from cortexscale.jobs import run


def main(*, url: str, sha256: str, file: Path) -> None:
    fetch(url, file, sha256=sha256)


if "snakemake" in globals():
    run(main, snakemake)
