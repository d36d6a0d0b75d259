"""One model on one dataset: features at the committed layers and recordings -> scores on the test split."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings, check_store
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import shared_targets
from cortexscale.features.store import FeatureStore
from cortexscale.logs import logged
from cortexscale.recording import load_recording
from cortexscale.stimuli import table_hash
from cortexscale.stores import provenance, read_table, write_table


def main(
    table: Path,
    units: Path,
    features: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    commitment: Path,
    dataset: str,
    model: str,
    ridge: dict[str, Any],
    code: str,
) -> None:
    store, images = FeatureStore(features), read_table(stimuli, columns=("stimulus_id", "hash"))
    check_store(store, table_hash(images))
    committed = json.loads(commitment.read_text())["rois"]
    targets = shared_targets([load_recording(file) for file in recordings], images, list(committed))
    rows, unit_rows = score_alignment(store, targets, committed, RidgeSettings.from_config(ridge))
    inputs = {"commitment": commitment} | {file.stem: file for file in recordings}
    made_by = provenance(inputs=inputs, features=store.attributes["identity"], ridge=ridge, code=code)
    for scores, path in ((unit_rows, units), (rows, table)):
        scores.insert(0, "benchmark_name", dataset)
        scores.insert(1, "model_id", model)
        write_table(scores, path, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params = snakemake.input, snakemake.params
        main(
            Path(snakemake.output.table),
            Path(snakemake.output.units),
            Path(source.features),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            Path(source.commitment),
            params.dataset,
            params.model,
            params.ridge,
            params.code,
        )
