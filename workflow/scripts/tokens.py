"""Extract the unprojected tokens of committed layers, and mean tokens of all candidates, of one model on a stimulus set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.alignment.subjects import shown_images
from cortexscale.features.model_on_images import ModelOnImages
from cortexscale.logs import logged
from cortexscale.readouts.token_store import extract_tokens
from cortexscale.stores import provenance


def main(
    store: Path,
    stimuli: Path,
    images: Path,
    commitments: Path,
    recordings: Sequence[Path],
    model: dict[str, Any],
    layout: str,
    shown: dict[str, Any],
    precision: str,
    code: str,
    batch_size: int,
    workers: int,
) -> None:
    job = ModelOnImages.load(model, stimuli, layout, images, precision)
    extract_tokens(
        job.backbone,
        job.candidates,
        [layer.name for layer in job.committed(commitments, shown)],
        job.images,
        store,
        identity=job.identity | {"layers": [layer.name for layer in job.candidates]},
        rows=np.unique(np.concatenate(shown_images(recordings, shown, job.table))),
        batch_size=batch_size,
        workers=workers,
        precision=job.precision,
        made_by=provenance(code=code),
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params = snakemake.input, snakemake.params
        main(
            Path(snakemake.output.store),
            Path(source.stimuli),
            Path(params.path),
            Path(source.commitments),
            [Path(file) for file in source.recordings],
            params.model,
            params.layout,
            params.shown,
            params.precision,
            params.code,
            batch_size=snakemake.resources.batch_size,
            workers=snakemake.threads - 1,
        )
