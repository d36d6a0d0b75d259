"""Check the raw files of a study and report all problems; the job fails if there are any."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.check.raw_data import check_data
from cortexscale.logs import logged
from cortexscale.study.data import Dataset, StimulusSet
from cortexscale.study.models import Suite


def main(
    report: Path,
    study: str,
    datasets: dict[str, Any],
    stimuli: dict[str, Any],
    missing: Sequence[str],
    checksums: bool,
    suites: Sequence[dict[str, Any]],
    checkpoints: Sequence[str],
    timm_names: Sequence[str],
) -> int:
    """The number of problems."""
    checked = check_data(
        study,
        {name: Dataset(**entry) for name, entry in datasets.items()},
        {name: StimulusSet(**entry) for name, entry in stimuli.items()},
        missing,
        checksums,
        [Suite(**entry) for entry in suites],
        checkpoints,
        timm_names,
    )
    checked.publish(report)
    return checked.n_problems


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        problems = main(
            Path(params.report),
            params.study,
            params.datasets,
            params.stimuli,
            params.missing,
            params.checksums,
            params.suites,
            params.checkpoints,
            params.timm_names,
        )
    sys.exit(1 if problems else 0)
