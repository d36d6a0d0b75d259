"""Check the raw files of a study and report all problems; the job fails if there are any."""

from pathlib import Path

from cortexscale.check.raw_data import check_data
from cortexscale.jobs import run
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet
from cortexscale.study.models import Suite


def main(
    *,
    study: str,
    datasets: dict[str, Dataset],
    stimuli: dict[str, StimulusSet],
    missing: list[str],
    checksums: bool,
    suites: list[Suite],
    checkpoints: list[str],
    timm_names: list[str],
    images_of_finetuning: dict[str, dict[str, int | None]],
    report: Path,
) -> None:
    check_data(study, datasets, stimuli, missing, checksums, suites, checkpoints, timm_names, images_of_finetuning).publish(
        report
    )


if "snakemake" in globals():
    run(main, snakemake)
