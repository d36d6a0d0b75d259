"""Make the table of noise ceilings of one dataset, with every unit that was examined."""

from pathlib import Path

from cortexscale.alignment.subjects import scored_subjects
from cortexscale.jobs import run
from cortexscale.qc.ceilings import noise_ceilings
from cortexscale.recording import load_recording
from cortexscale.stores import provenance, write_table
from cortexscale.study.targets import BestSubjects


def main(*, recordings: list[Path], best_subjects: BestSubjects | None, table: Path, code: str) -> None:
    scored = scored_subjects(recordings, best_subjects)
    ceilings = noise_ceilings(load_recording(file, responses=False) for file in scored)
    write_table(ceilings, table, provenance(inputs={file.stem: file for file in scored}, code=code))


if "snakemake" in globals():
    run(main, snakemake)
