"""Extract the features or exact kernels of one model for one stimulus set, at committed layers or at all candidate layers."""

from pathlib import Path

from cortexscale.commitments import Commitments
from cortexscale.features.exact import extract_kernels
from cortexscale.features.extract import ModelOnImages, extract_features
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.stores import provenance
from cortexscale.study.features import Precision, Projection
from cortexscale.study.images import ImageFiles
from cortexscale.study.targets import BestSubjects


def main(
    *,
    stimuli: Path,
    recordings: list[Path],
    commitments: Path | None = None,
    model: Model,
    images: ImageFiles,
    projection: Projection,
    best_subjects: dict[str, BestSubjects | None],
    precision: Precision,
    scratch_gb: int,
    batch_size: int,
    threads: int,
    store: Path,
    code: str,
) -> None:
    job = ModelOnImages.load(model, stimuli, images, precision, batch_size=batch_size, workers=threads - 1)
    layers = job.committed(Commitments.load(commitments)) if commitments else job.candidates
    made_by = provenance(code=code)
    if projection.is_exact:
        from cortexscale.alignment.subjects import shown_images

        rows = shown_images(recordings, best_subjects, job.table)
        extract_kernels(job, layers, store, image_rows=rows, scratch_gb=scratch_gb, made_by=made_by)
    else:
        extract_features(job, layers, store, projection=projection, made_by=made_by)


if "snakemake" in globals():
    run(main, snakemake)
