"""Read the released files of one subject of one dataset, and write a Recording."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cortexscale.datasets.readers import load_reader
from cortexscale.logs import logged


def main(recording: Path, dataset: str, subject: str, reader: str, path: Path, options: dict[str, Any]) -> None:
    module = load_reader(reader)
    replace(module.read(path, subject, module.Options(**options)), dataset=dataset).save(recording)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        main(Path(snakemake.output.recording), params.dataset, params.subject, params.reader, Path(params.path), params.options)
