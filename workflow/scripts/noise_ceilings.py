"""Make the table of noise ceilings of all units of one dataset that were examined."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.subjects import scored_subjects
from cortexscale.logs import logged
from cortexscale.qc.ceilings import noise_ceilings
from cortexscale.recording import load_recording
from cortexscale.stores import provenance, write_table


def main(table: Path, recordings: Sequence[Path], best_subjects: dict[str, Any] | None, code: str) -> None:
    scored = scored_subjects(recordings, best_subjects)
    ceilings = noise_ceilings(load_recording(file, responses=False) for file in scored)
    write_table(ceilings, table, provenance(inputs={file.stem: file for file in scored}, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        recordings = [Path(file) for file in snakemake.input.recordings]
        main(Path(snakemake.output.table), recordings, params.best_subjects, params.code)
