"""List the images of both splits of all recordings that models are fine-tuned on or scored on."""

from pathlib import Path

from cortexscale.finetuning.overlap import split_images
from cortexscale.jobs import run
from cortexscale.stimuli import read_stimulus_table, table_hash
from cortexscale.stores import provenance, write_table


def main(*, recordings: list[Path], stimuli: list[Path], datasets: dict[str, str], table: Path, code: str) -> None:
    tables = {file.stem: read_stimulus_table(file) for file in stimuli}
    images = split_images(recordings, {dataset: tables[name] for dataset, name in datasets.items()})
    hashes = {name: table_hash(of) for name, of in tables.items()}
    write_table(images, table, provenance(inputs={}, stimuli=hashes, datasets=datasets, code=code))


if "snakemake" in globals():
    run(main, snakemake)
