"""Check a dataset module on its raw files and report every problem; the job fails if there are any."""

from pathlib import Path

from cortexscale.check.dataset import check_dataset
from cortexscale.jobs import run
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet


def main(*, dataset: str, entry: Dataset, images: StimulusSet, report: Path) -> None:
    check_dataset(dataset, entry, images).publish(report)


if "snakemake" in globals():
    run(main, snakemake)
