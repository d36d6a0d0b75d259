"""All candidate layers of a reference model on the datasets of a stimulus set: features and recordings -> table of scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings, check_store
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.subjects import load_targets
from cortexscale.features.store import FeatureStore
from cortexscale.logs import logged
from cortexscale.stimuli import table_hash
from cortexscale.stores import provenance, read_table, write_table


def main(
    table: Path,
    features: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    datasets: dict[str, Any],
    model: str,
    ridge: dict[str, Any],
    code: str,
) -> None:
    store, images = FeatureStore(features), read_table(stimuli, columns=("stimulus_id", "hash"))
    check_store(store, table_hash(images))
    scores = search_layers(store, load_targets(recordings, datasets, images), RidgeSettings.from_config(ridge))
    scores.insert(0, "model_id", model)
    inputs = {f"{file.parent.name}/{file.stem}": file for file in recordings}
    write_table(scores, table, provenance(inputs=inputs, features=store.attributes["identity"], ridge=ridge, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params = snakemake.input, snakemake.params
        main(
            Path(snakemake.output.table),
            Path(source.features),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            params.datasets,
            params.model,
            params.ridge,
            params.code,
        )
