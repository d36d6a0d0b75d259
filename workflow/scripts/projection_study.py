"""Score one model on the datasets of a stimulus set with all activations and with random projections of them."""

from pathlib import Path

from cortexscale.alignment.projection_study import score_projections
from cortexscale.alignment.subjects import load_targets, named_recordings
from cortexscale.commitments import Commitments
from cortexscale.features.exact import activations_on_disk
from cortexscale.features.extract import ModelOnImages
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.stores import provenance, write_table
from cortexscale.study.features import Precision, Projection
from cortexscale.study.images import ImageFiles
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    stimuli: Path,
    recordings: list[Path],
    prepared: Path,
    commitments: Path,
    model: Model,
    images: ImageFiles,
    datasets: dict[str, DatasetTargets],
    projections: list[Projection],
    precision: Precision,
    ridge: Ridge,
    scratch_gb: int,
    batch_size: int,
    threads: int,
    table: Path,
    code: str,
) -> None:
    job = ModelOnImages.load(model, stimuli, images, precision, batch_size=batch_size, workers=threads - 1)
    committed = Commitments.load(commitments)
    scratch = table.with_name(f".{table.stem}.rows")
    activations = activations_on_disk(job, job.committed(committed), scratch, scratch_gb=scratch_gb)
    targets = load_targets(recordings, datasets, job.table, prepared)
    projected = table.with_name(f".{table.stem}.projected.zarr.zip")
    scores = score_projections(activations, projections, targets, committed, ridge, projected)
    scores.insert(0, "model_id", model.id)
    inputs = {"commitments": commitments} | named_recordings(recordings)
    write_table(scores, table, provenance(inputs=inputs, activations=job.identity, ridge=ridge, code=code))


if "snakemake" in globals():
    run(main, snakemake)
