"""Score one fine-tuned or base model on the datasets of a stimulus set, without projection."""

from pathlib import Path

from cortexscale.alignment.score import score_unprojected
from cortexscale.alignment.subjects import load_targets, named_recordings
from cortexscale.commitments import Commitments
from cortexscale.features.exact import activations_on_disk
from cortexscale.features.extract import ModelOnImages
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.stores import provenance, write_table
from cortexscale.study.experiments import Metrics
from cortexscale.study.features import Precision
from cortexscale.study.images import ImageFiles
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    stimuli: Path,
    prepared: Path,
    commitments: Path,
    model: Model,
    images: ImageFiles,
    datasets: dict[str, DatasetTargets],
    recordings: list[Path],
    precision: Precision,
    ridge: Ridge,
    metrics: Metrics,
    scratch_gb: int,
    batch_size: int,
    threads: int,
    table: Path,
    units: Path,
    code: str,
) -> None:
    job = ModelOnImages.load(model, stimuli, images, precision, batch_size=batch_size, workers=threads - 1)
    committed = Commitments.load(commitments).restricted(datasets)
    scratch = table.with_name(f".{table.stem}.rows")
    activations = activations_on_disk(job, job.committed(committed), scratch, scratch_gb=scratch_gb)
    targets = load_targets(recordings, datasets, job.table, prepared)
    rows, unit_rows = score_unprojected(activations, targets, committed, ridge, metrics)
    inputs = {"commitments": commitments} | named_recordings(recordings)
    made_by = provenance(inputs=inputs, activations=job.identity, ridge=ridge, metrics=metrics, code=code)
    for scores, path in ((unit_rows, units), (rows, table)):
        scores.insert(0, "model_id", model.id)
        write_table(scores, path, made_by)


if "snakemake" in globals():
    run(main, snakemake)
