"""Score all candidate layers of a reference model on the datasets of a stimulus set."""

from pathlib import Path

from cortexscale.alignment.layer import check_store
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.subjects import load_targets, named_recordings
from cortexscale.features.kernel_store import open_store
from cortexscale.jobs import run
from cortexscale.stimuli import read_stimulus_table, table_hash
from cortexscale.stores import provenance, write_table
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    features: Path,
    stimuli: Path,
    recordings: list[Path],
    prepared: Path,
    model: str,
    datasets: dict[str, DatasetTargets],
    ridge: Ridge,
    table: Path,
    code: str,
) -> None:
    store, images = open_store(features), read_stimulus_table(stimuli)
    check_store(store, table_hash(images))
    scores = search_layers(store, load_targets(recordings, datasets, images, prepared), ridge)
    scores.insert(0, "model_id", model)
    identity = store.attributes["identity"]
    write_table(scores, table, provenance(inputs=named_recordings(recordings), features=identity, ridge=ridge, code=code))


if "snakemake" in globals():
    run(main, snakemake)
