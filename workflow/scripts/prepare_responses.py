"""Compute what alignment needs of the responses to a stimulus set alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.prepare import prepare_responses
from cortexscale.alignment.subjects import load_targets
from cortexscale.logs import logged
from cortexscale.stores import provenance, read_table


def main(
    prepared: Path, stimuli: Path, recordings: Sequence[Path], datasets: dict[str, Any], splits: Sequence[str], code: str
) -> None:
    images = read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
    inputs = {f"{file.parent.name}/{file.stem}": file for file in recordings}
    made_by = provenance(inputs=inputs, splits=splits, code=code)
    prepare_responses(load_targets(recordings, datasets, images), splits, prepared, made_by)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, params = snakemake.input, snakemake.params
        main(
            Path(snakemake.output.prepared),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            params.datasets,
            params.splits,
            params.code,
        )
