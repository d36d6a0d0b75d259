"""Fit linear heads per subject and ROI for one base model and one dataset, from images and recordings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.subjects import load_targets
from cortexscale.features.model_on_images import ModelOnImages
from cortexscale.finetuning.heads import fit_heads
from cortexscale.logs import logged
from cortexscale.stores import provenance, read_commitments, write_table


def main(
    heads: Path,
    table: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    commitments: Path,
    model: dict[str, Any],
    dataset: str,
    images: dict[str, Any],
    targets: dict[str, Any],
    precision: str,
    ridge: dict[str, Any],
    code: str,
    batch_size: int,
    workers: int,
) -> None:
    job = ModelOnImages.load(model, stimuli, images["layout"], Path(images["path"]), precision)
    committed = read_commitments(commitments)[dataset]
    made_by = provenance(
        inputs={"commitments": commitments} | {file.stem: file for file in recordings},
        activations=job.identity,
        dataset=dataset,
        targets=targets,
        ridge=ridge,
        code=code,
    )
    scores = fit_heads(
        job,
        load_targets(recordings, {dataset: targets}, job.table),
        {roi: committed[roi] for roi in targets["rois"]},
        RidgeSettings.from_config(ridge),
        heads,
        made_by=made_by,
        batch_size=batch_size,
        workers=workers,
    )
    write_table(scores, table, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out, params = snakemake.input, snakemake.output, snakemake.params
        main(
            Path(out.heads),
            Path(out.table),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            Path(source.commitments),
            params.model,
            params.dataset,
            params.images,
            params.targets,
            params.precision,
            params.ridge,
            params.code,
            batch_size=snakemake.resources.batch_size,
            workers=snakemake.threads - 1,
        )
