"""Score one fine-tuned or base model on the datasets of a stimulus set, without projection."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.subjects import load_targets
from cortexscale.alignment.unprojected import score_unprojected
from cortexscale.features.exact import committed_activations
from cortexscale.features.model_on_images import ModelOnImages
from cortexscale.logs import logged
from cortexscale.stores import provenance, read_commitments, write_table


def main(
    table: Path,
    units: Path,
    stimuli: Path,
    images: Path,
    recordings: Sequence[Path],
    prepared: Path,
    commitments: Path,
    model: dict[str, Any],
    layout: str,
    datasets: dict[str, Any],
    precision: str,
    ridge: dict[str, Any],
    similarity: Sequence[str],
    code: str,
    scratch_gb: int,
    batch_size: int,
    workers: int,
) -> None:
    job, committed = ModelOnImages.load(model, stimuli, layout, images, precision), read_commitments(commitments)
    activations = committed_activations(
        job,
        job.committed(commitments, datasets),
        table.with_name(f".{table.stem}.rows"),
        scratch_gb=scratch_gb,
        batch_size=batch_size,
        workers=workers,
    )
    targets, settings = load_targets(recordings, datasets, job.table, prepared), RidgeSettings.from_config(ridge)
    rows, unit_rows = score_unprojected(activations, targets, {name: committed[name] for name in datasets}, settings, similarity)
    inputs = {"commitments": commitments} | {f"{file.parent.name}/{file.stem}": file for file in recordings}
    made_by = provenance(inputs=inputs, activations=job.identity, ridge=ridge, code=code)
    for scores, path in ((unit_rows, units), (rows, table)):
        scores.insert(0, "model_id", model["id"])
        write_table(scores, path, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params, resources = snakemake.input, snakemake.params, snakemake.resources
        main(
            Path(snakemake.output.table),
            Path(snakemake.output.units),
            Path(source.stimuli),
            Path(params.path),
            [Path(file) for file in params.recordings],
            Path(source.prepared),
            Path(source.commitments),
            params.model,
            params.layout,
            params.datasets,
            params.precision,
            params.ridge,
            params.similarity,
            params.code,
            scratch_gb=resources.scratch_gb,
            batch_size=resources.batch_size,
            workers=snakemake.threads - 1,
        )
