"""List the images of one stimulus set with their ids and hashes."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.stimuli import stimulus_table
from cortexscale.stores import provenance, write_table
from cortexscale.study.images import ImageFiles


def main(*, images: ImageFiles, table: Path, code: str) -> None:
    made_by = provenance(layout=images.layout, path=images.path, code=code)
    write_table(stimulus_table(images.layout, images.path), table, made_by)


if "snakemake" in globals():
    run(main, snakemake)
