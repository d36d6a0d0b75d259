"""Prepare the responses to a stimulus set for alignment. This needs no model, and is done once for all models."""

from pathlib import Path

from cortexscale.alignment.similarity import SplitName
from cortexscale.alignment.subjects import load_targets, named_recordings
from cortexscale.alignment.targets import prepare_responses, warn_of_shared_images
from cortexscale.jobs import run
from cortexscale.stimuli import read_stimulus_table
from cortexscale.stores import provenance
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    stimuli: Path,
    recordings: list[Path],
    datasets: dict[str, DatasetTargets],
    splits: list[SplitName],
    prepared: Path,
    code: str,
) -> None:
    images = read_stimulus_table(stimuli)
    made_by = provenance(inputs=named_recordings(recordings), splits=splits, code=code)
    targets = load_targets(recordings, datasets, images)
    warn_of_shared_images(targets, images)
    prepare_responses(targets, splits, prepared, made_by)


if "snakemake" in globals():
    run(main, snakemake)
