"""Fit linear heads per subject and ROI for one base model and one dataset, from images and recordings."""

from pathlib import Path

from cortexscale.alignment.subjects import load_targets
from cortexscale.commitments import Commitments
from cortexscale.features.extract import ModelOnImages
from cortexscale.finetuning.heads import fit_heads
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.stores import provenance, write_table
from cortexscale.study.features import Precision
from cortexscale.study.images import ImageFiles
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    stimuli: Path,
    recordings: list[Path],
    commitments: Path,
    model: Model,
    dataset: str,
    images: ImageFiles,
    targets: DatasetTargets,
    precision: Precision,
    ridge: Ridge,
    batch_size: int,
    threads: int,
    heads: Path,
    table: Path,
    code: str,
) -> None:
    job = ModelOnImages.load(model, stimuli, images, precision, batch_size=batch_size, workers=threads - 1)
    committed = Commitments.load(commitments)[dataset]
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
        {roi: committed[roi] for roi in targets.rois},
        ridge,
        heads,
        made_by=made_by,
    )
    write_table(scores, table, made_by)


if "snakemake" in globals():
    run(main, snakemake)
