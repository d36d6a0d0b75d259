"""Score one model on the datasets of a stimulus set with all activations and with random projections of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.projection_study import score_projections
from cortexscale.alignment.subjects import load_targets
from cortexscale.features.exact import committed_activations
from cortexscale.features.model_on_images import ModelOnImages
from cortexscale.logs import logged
from cortexscale.stores import provenance, read_commitments, write_table


def main(
    table: Path,
    stimuli: Path,
    images: Path,
    recordings: Sequence[Path],
    prepared: Path,
    commitments: Path,
    model: dict[str, Any],
    layout: str,
    datasets: dict[str, Any],
    projections: Sequence[dict[str, Any]],
    precision: str,
    ridge: dict[str, Any],
    code: str,
    scratch_gb: int,
    batch_size: int,
    workers: int,
) -> None:
    job, committed = ModelOnImages.load(model, stimuli, layout, images, precision), read_commitments(commitments)
    activations = committed_activations(
        job,
        job.committed(commitments),
        table.with_name(f".{table.stem}.rows"),
        scratch_gb=scratch_gb,
        batch_size=batch_size,
        workers=workers,
    )
    targets, settings = load_targets(recordings, datasets, job.table, prepared), RidgeSettings.from_config(ridge)
    projected = table.with_name(f".{table.stem}.projected.zarr.zip")
    scores = score_projections(activations, projections, targets, committed, settings, projected)
    scores.insert(0, "model_id", model["id"])
    inputs = {"commitments": commitments} | {f"{file.parent.name}/{file.stem}": file for file in recordings}
    write_table(scores, table, provenance(inputs=inputs, activations=job.identity, ridge=ridge, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params, resources = snakemake.input, snakemake.params, snakemake.resources
        main(
            Path(snakemake.output.table),
            Path(source.stimuli),
            Path(params.path),
            [Path(file) for file in source.recordings],
            Path(source.prepared),
            Path(source.commitments),
            params.model,
            params.layout,
            params.datasets,
            params.projections,
            params.precision,
            params.ridge,
            params.code,
            scratch_gb=resources.scratch_gb,
            batch_size=resources.batch_size,
            workers=snakemake.threads - 1,
        )
