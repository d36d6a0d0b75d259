"""All candidate layers of a reference model on one dataset: features and recordings -> table of scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings, check_store
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.targets import shared_targets
from cortexscale.features.store import FeatureStore
from cortexscale.logs import logged
from cortexscale.recording import load_recording
from cortexscale.stimuli import table_hash
from cortexscale.stores import provenance, read_table, write_table


def main(
    table: Path,
    features: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    dataset: str,
    model: str,
    rois: Sequence[str],
    ridge: dict[str, Any],
    code: str,
) -> None:
    store, images = FeatureStore(features), read_table(stimuli, columns=("stimulus_id", "hash"))
    check_store(store, table_hash(images))
    targets = shared_targets([load_recording(file) for file in recordings], images, rois)
    scores = search_layers(store, targets, RidgeSettings.from_config(ridge))
    scores.insert(0, "benchmark_name", dataset)
    scores.insert(1, "model_id", model)
    inputs = {file.stem: file for file in recordings}
    write_table(scores, table, provenance(inputs=inputs, features=store.attributes["identity"], ridge=ridge, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params = snakemake.input, snakemake.params
        main(
            Path(snakemake.output.table),
            Path(source.features),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            params.dataset,
            params.model,
            params.rois,
            params.ridge,
            params.code,
        )
