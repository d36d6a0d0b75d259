"""One base model and one dataset: images and recordings -> linear heads per subject and ROI."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.subjects import load_targets
from cortexscale.features.extract import forward_precision
from cortexscale.finetuning.heads import fit_heads
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.logs import logged
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import provenance, read_table, write_table


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
    keep_freed_memory()
    backbone, precision = load_backbone(model), forward_precision(precision)
    shown = read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
    committed = json.loads(commitments.read_text())["commitments"][dataset]
    made_by = provenance(
        inputs={"commitments": commitments} | {file.stem: file for file in recordings},
        model=model["id"],
        weights=weights_hash(backbone.network),
        transform=str(backbone.transform),
        stimuli=table_hash(shown),
        dataset=dataset,
        targets=targets,
        precision=precision,
        ridge=ridge,
        code=code,
    )
    scores = fit_heads(
        backbone,
        StimulusImages(**images, table=shown),
        shown,
        load_targets(recordings, {dataset: targets}, shown),
        {roi: committed[roi] for roi in targets["rois"]},
        RidgeSettings.from_config(ridge),
        heads,
        model=model["id"],
        made_by=made_by,
        batch_size=batch_size,
        workers=workers,
        precision=precision,
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
