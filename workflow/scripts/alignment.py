"""Score one model on the datasets of a stimulus set, from its committed features and the recordings."""

from pathlib import Path

from cortexscale.alignment.layer import check_store
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.subjects import load_targets, named_recordings
from cortexscale.commitments import Commitments
from cortexscale.features.kernel_store import open_store
from cortexscale.jobs import run
from cortexscale.stimuli import read_stimulus_table, table_hash
from cortexscale.stores import provenance, write_table
from cortexscale.study.experiments import Metrics
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    features: Path,
    stimuli: Path,
    recordings: list[Path],
    prepared: Path,
    truths: list[Path],
    commitments: Path,
    model: str,
    datasets: dict[str, DatasetTargets],
    ridge: Ridge,
    metrics: Metrics,
    table: Path,
    units: Path,
    code: str,
) -> None:
    store, images = open_store(features), read_stimulus_table(stimuli)
    check_store(store, table_hash(images))
    targets = load_targets(recordings, datasets, images, prepared, truths)
    rows, unit_rows = score_alignment(store, targets, Commitments.load(commitments), ridge, metrics)
    inputs = {"commitments": commitments} | named_recordings(recordings)
    made_by = provenance(inputs=inputs, features=store.attributes["identity"], ridge=ridge, metrics=metrics, code=code)
    for scores, path in ((unit_rows, units), (rows, table)):
        scores.insert(0, "model_id", model)
        write_table(scores, path, made_by)


if "snakemake" in globals():
    run(main, snakemake)
