"""Extract tokens of one model for a stimulus set: all tokens of committed layers, and the mean tokens of all candidate layers."""

from pathlib import Path

import numpy as np

from cortexscale.alignment.subjects import shown_images
from cortexscale.commitments import Commitments
from cortexscale.features.extract import ModelOnImages
from cortexscale.jobs import run
from cortexscale.models.model import Model
from cortexscale.readouts.token_store import extract_tokens
from cortexscale.stores import provenance
from cortexscale.study.features import Precision
from cortexscale.study.images import ImageFiles
from cortexscale.study.targets import BestSubjects


def main(
    *,
    stimuli: Path,
    recordings: list[Path],
    commitments: Path,
    model: Model,
    images: ImageFiles,
    best_subjects: dict[str, BestSubjects | None],
    precision: Precision,
    batch_size: int,
    threads: int,
    store: Path,
    code: str,
) -> None:
    job = ModelOnImages.load(model, stimuli, images, precision, batch_size=batch_size, workers=threads - 1)
    committed = [layer.name for layer in job.committed(Commitments.load(commitments).restricted(best_subjects))]
    rows = np.unique(np.concatenate(shown_images(recordings, best_subjects, job.table)))
    extract_tokens(job, job.candidates, committed, store, rows=rows, made_by=provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
