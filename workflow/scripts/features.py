"""One model on one stimulus set: images -> features or exact kernels, at the committed layers or at all candidates."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.features.exact import extract_kernels
from cortexscale.features.extract import extract_features, forward_precision
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.logs import logged
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import candidate_layers, chosen_layers
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import provenance, read_table


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
    keep_freed_memory()
    backbone, precision = load_backbone(model), forward_precision(precision)
    layers = candidate_layers(backbone.network, model["layers"])
    if commitments:
        datasets = json.loads(commitments.read_text())["commitments"].values()
        wanted = {entry["layer_name"] for rois in datasets for entry in rois.values()}
        layers = chosen_layers(layers, wanted, f"commitments {commitments}")
    table = read_table(stimuli, columns=("stimulus_id", "hash"))
    identity = {
        "model": model["id"],
        "weights": weights_hash(backbone.network),
        "transform": str(backbone.transform),
        "stimuli": table_hash(table),
        "layers": [layer.name for layer in layers],
        "projection": projection,
        "precision": precision,
    }
    what = (backbone, layers, StimulusImages(layout, images, table), store)
    how = {"identity": identity, "batch_size": batch_size, "workers": workers, "precision": precision}
    how |= {"made_by": provenance(code=code)}
    if projection["family"] == "exact":
        from cortexscale.alignment.subjects import shown_images

        extract_kernels(*what, shown=shown_images(recordings, shown, table), scratch_gb=scratch_gb, **how)
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
