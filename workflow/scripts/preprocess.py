"""Read the released files of one subject of one dataset, and write a Recording."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cortexscale.datasets.readers import load_reader
from cortexscale.jobs import run


def main(*, dataset: str, subject: str, reader: str, path: Path, options: dict[str, Any], recording: Path) -> None:
    module = load_reader(reader)
    replace(module.read(path, subject, module.Options(**options)), dataset=dataset).save(recording)


if "snakemake" in globals():
    run(main, snakemake)
