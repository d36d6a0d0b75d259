"""List the images of one stimulus set with their ids and hashes, after all of them were decoded once."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.stimuli import require_images, stimulus_table
from cortexscale.stores import provenance, write_table
from cortexscale.study.images import ImageFiles


def main(*, images: ImageFiles, table: Path, code: str) -> None:
    made_by = provenance(layout=images.layout, path=images.path, code=code)
    found = stimulus_table(images.layout, images.path)
    require_images(images.layout, images.path, found["stimulus_id"])
    write_table(found, table, made_by)


if "snakemake" in globals():
    run(main, snakemake)
