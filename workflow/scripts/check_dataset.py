"""Check a dataset module on its raw files and report every broken promise; the job fails if there are any."""

import sys
from pathlib import Path

from cortexscale.check.dataset import check_dataset
from cortexscale.jobs import run
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet


def main(*, dataset: str, entry: Dataset, images: StimulusSet, report: Path) -> None:
    checked = check_dataset(dataset, entry, images)
    checked.publish(report)
    if checked.n_problems:
        sys.exit(1)


if "snakemake" in globals():
    run(main, snakemake)
