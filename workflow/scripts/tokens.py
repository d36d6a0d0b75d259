"""One model on one stimulus set: images -> unprojected tokens of the committed layers, mean tokens of all candidates."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cortexscale.alignment.subjects import shown_images
from cortexscale.features.extract import forward_precision
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.logs import logged
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import candidate_layers, chosen_layers
from cortexscale.readouts.token_store import extract_tokens
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import provenance, read_table


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
    keep_freed_memory()
    backbone, precision = load_backbone(model), forward_precision(precision)
    layers = candidate_layers(backbone.network, model["layers"])
    datasets = json.loads(commitments.read_text())["commitments"]
    wanted = {entry["layer_name"] for name in shown for entry in datasets[name].values()}
    committed = [layer.name for layer in chosen_layers(layers, wanted, f"commitments {commitments}")]
    table = read_table(stimuli, columns=("stimulus_id", "hash"))
    identity = {
        "model": model["id"],
        "weights": weights_hash(backbone.network),
        "transform": str(backbone.transform),
        "stimuli": table_hash(table),
        "layers": [layer.name for layer in layers],
        "precision": precision,
    }
    extract_tokens(
        backbone,
        layers,
        committed,
        StimulusImages(layout, images, table),
        store,
        identity=identity,
        rows=np.unique(np.concatenate(shown_images(recordings, shown, table))),
        batch_size=batch_size,
        workers=workers,
        precision=precision,
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
