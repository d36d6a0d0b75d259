"""Score one model on the datasets of a stimulus set, from its committed features and the recordings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings, check_store
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.subjects import load_targets
from cortexscale.features.kernel_store import open_store
from cortexscale.logs import logged
from cortexscale.stimuli import table_hash
from cortexscale.stores import provenance, read_commitments, read_table, write_table


def main(
    table: Path,
    units: Path,
    features: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    prepared: Path,
    commitments: Path,
    datasets: dict[str, Any],
    model: str,
    ridge: dict[str, Any],
    similarity: Sequence[str],
    code: str,
) -> None:
    store, images = open_store(features), read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
    check_store(store, table_hash(images))
    committed = read_commitments(commitments)
    targets = load_targets(recordings, datasets, images, prepared)
    rows, unit_rows = score_alignment(store, targets, committed, RidgeSettings.from_config(ridge), similarity)
    inputs = {"commitments": commitments} | {f"{file.parent.name}/{file.stem}": file for file in recordings}
    made_by = provenance(inputs=inputs, features=store.attributes["identity"], ridge=ridge, code=code)
    for scores, path in ((unit_rows, units), (rows, table)):
        scores.insert(0, "model_id", model)
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
            Path(source.prepared),
            Path(source.commitments),
            params.datasets,
            params.model,
            params.ridge,
            params.similarity,
            params.code,
        )
