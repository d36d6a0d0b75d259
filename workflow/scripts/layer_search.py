"""Score all candidate layers of a reference model on the datasets of a stimulus set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings, check_store
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.subjects import load_targets
from cortexscale.features.kernel_store import open_store
from cortexscale.logs import logged
from cortexscale.stimuli import table_hash
from cortexscale.stores import provenance, read_table, write_table


def main(
    table: Path,
    features: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    prepared: Path,
    datasets: dict[str, Any],
    model: str,
    ridge: dict[str, Any],
    code: str,
) -> None:
    store, images = open_store(features), read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
    check_store(store, table_hash(images))
    scores = search_layers(store, load_targets(recordings, datasets, images, prepared), RidgeSettings.from_config(ridge))
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
            Path(source.prepared),
            params.datasets,
            params.model,
            params.ridge,
            params.code,
        )
