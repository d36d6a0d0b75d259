"""Extract the features or exact kernels of one model for one stimulus set, at committed layers or at all candidates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.features.exact import extract_kernels
from cortexscale.features.extract import extract_features
from cortexscale.features.model_on_images import ModelOnImages
from cortexscale.logs import logged
from cortexscale.stores import provenance


def main(
    store: Path,
    stimuli: Path,
    images: Path,
    commitments: Path | None,
    recordings: Sequence[Path],
    model: dict[str, Any],
    layout: str,
    projection: dict[str, Any],
    shown: dict[str, Any],
    precision: str,
    code: str,
    scratch_gb: int,
    batch_size: int,
    workers: int,
) -> None:
    job = ModelOnImages.load(model, stimuli, layout, images, precision)
    layers = job.committed(commitments) if commitments else job.candidates
    identity = job.identity | {"layers": [layer.name for layer in layers], "projection": projection}
    what = (job.backbone, layers, job.images, store)
    how = {"identity": identity, "batch_size": batch_size, "workers": workers, "precision": job.precision}
    how |= {"made_by": provenance(code=code)}
    if projection["family"] == "exact":
        from cortexscale.alignment.subjects import shown_images

        extract_kernels(*what, image_rows=shown_images(recordings, shown, job.table), scratch_gb=scratch_gb, **how)
    else:
        extract_features(*what, projection=projection, **how)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params, resources = snakemake.input, snakemake.params, snakemake.resources
        main(
            Path(snakemake.output.store),
            Path(source.stimuli),
            Path(params.path),
            Path(source.commitments) if hasattr(source, "commitments") else None,
            [Path(file) for file in source.recordings],
            params.model,
            params.layout,
            params.projection,
            params.shown,
            params.precision,
            params.code,
            scratch_gb=resources.scratch_gb,
            batch_size=resources.batch_size,
            workers=snakemake.threads - 1,
        )
