"""Read the released files of one subject of one dataset, and write a Recording."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cortexscale.datasets.readers import load_reader
from cortexscale.jobs import run
from cortexscale.qc.calibration import calibrated


def main(*, dataset: str, subject: str, reader: str, path: Path, options: dict[str, Any], recording: Path) -> None:
    module = load_reader(reader)
    read = module.read(path, subject, module.Options(**options))
    calibrated(replace(read, dataset=dataset)).save(recording)


if "snakemake" in globals():
    run(main, snakemake)
