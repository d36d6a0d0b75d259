"""Fit linear heads per subject and ROI for one base model and one dataset, from images and recordings."""

from pathlib import Path

from cortexscale.alignment.subjects import load_targets
from cortexscale.commitments import Commitments
from cortexscale.features.extract import ModelOnImages
from cortexscale.finetuning.heads import fit_heads
from cortexscale.finetuning.overlap import images_of_tests, without_images
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.stores import provenance, read_table, write_table
from cortexscale.study.features import Precision
from cortexscale.study.images import ImageFiles
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    stimuli: Path,
    recordings: list[Path],
    commitments: Path,
    split_images: Path | None = None,
    model: Model,
    dataset: str,
    images: ImageFiles,
    targets: DatasetTargets,
    precision: Precision,
    left_out: list[str],
    ridge: Ridge,
    batch_size: int,
    threads: int,
    heads: Path,
    table: Path,
    code: str,
) -> None:
    job = ModelOnImages.load(model, stimuli, images, precision, batch_size=batch_size, workers=threads - 1)
    committed = Commitments.load(commitments)[dataset]
    inputs = {"commitments": commitments} | {file.stem: file for file in recordings}
    loaded = load_targets(recordings, {dataset: targets}, job.table)
    if split_images:
        inputs["split_images"] = split_images
        loaded = without_images(loaded, job.table, images_of_tests(read_table(split_images), left_out))
    made_by = provenance(
        inputs=inputs,
        activations=job.identity,
        dataset=dataset,
        targets=targets,
        ridge=ridge,
        code=code,
    )
    scores = fit_heads(
        job,
        loaded,
        {roi: committed[roi] for roi in targets.rois},
        ridge,
        heads,
        made_by=made_by,
    )
    write_table(scores, table, made_by)


if "snakemake" in globals():
    run(main, snakemake)
