"""Make Table S1, rank subjects by their ceilings, and compare released statistics with recomputed ones."""

from pathlib import Path

import pandas as pd

from cortexscale.alignment.subjects import named_recordings, rank_subjects, scored_subjects
from cortexscale.jobs import run
from cortexscale.qc import ceilings
from cortexscale.qc.dataset_table import dataset_table, readable
from cortexscale.recording import load_recording
from cortexscale.stores import provenance, write_readable, write_table
from cortexscale.study.data import Modality
from cortexscale.study.targets import BestSubjects


def main(
    *,
    recordings: list[Path],
    labels: dict[str, str],
    modalities: dict[str, Modality | None],
    paper: dict[str, dict[str, float]],
    best_subjects: dict[str, BestSubjects | None],
    table: Path,
    csv: Path,
    markdown: Path,
    subjects: Path,
    released_units: Path,
    released: Path,
    code: str,
) -> None:
    files = {name: [file for file in recordings if file.parent.name == name] for name in labels}
    ranked = [rank_subjects(of, best_subjects[name]).assign(benchmark_name=name) for name, of in files.items()]
    scored = {name: scored_subjects(of, best_subjects[name]) for name, of in files.items()}
    opened = {name: (load_recording(file, responses=False) for file in of) for name, of in scored.items()}
    described = dataset_table(opened, labels, modalities, paper)
    units = ceilings.released_units(load_recording(file, responses=False) for of in scored.values() for file in of)
    made_by = provenance(inputs=named_recordings(recordings), code=code)
    write_table(pd.concat(ranked, ignore_index=True), subjects, made_by)
    write_table(units, released_units, made_by)
    write_table(ceilings.released_statistics(units), released, made_by)
    write_readable(described, readable(described), (csv, markdown, table), made_by)


if "snakemake" in globals():
    run(main, snakemake)
