"""Check a dataset module on its raw files and report every broken promise; the job fails if there are any."""

import sys
from pathlib import Path
from typing import Any

from cortexscale.check.dataset import check_dataset
from cortexscale.logs import logged
from cortexscale.study.data import Dataset, StimulusSet


def main(report: Path, dataset: str, entry: dict[str, Any], images: dict[str, Any]) -> int:
    """The number of problems."""
    checked = check_dataset(dataset, Dataset(**entry), StimulusSet(**images))
    checked.publish(report)
    return checked.n_problems


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        problems = main(Path(params.report), params.dataset, params.entry, params.images)
    sys.exit(1 if problems else 0)
