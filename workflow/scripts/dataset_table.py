"""Make Table S1, rank subjects by their ceilings, and compare released statistics with recomputed ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cortexscale.alignment.subjects import rank_subjects, scored_subjects
from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.qc.ceilings import released_statistics, released_units
from cortexscale.qc.dataset_table import dataset_table, readable
from cortexscale.recording import load_recording
from cortexscale.stores import provenance, write_table
from cortexscale.study.data import Modality


def main(
    outputs: dict[str, Path],
    recordings: Sequence[Path],
    labels: dict[str, str],
    modalities: dict[str, Modality | None],
    paper: dict[str, dict[str, float]],
    best_subjects: dict[str, dict[str, Any] | None],
    code: str,
) -> None:
    of = {name: [file for file in recordings if file.parent.name == name] for name in labels}
    subjects = pd.concat(
        [rank_subjects(files, best_subjects[name]).assign(benchmark_name=name) for name, files in of.items()], ignore_index=True
    )
    scored = {name: scored_subjects(files, best_subjects[name]) for name, files in of.items()}
    opened = {name: (load_recording(file, responses=False) for file in files) for name, files in scored.items()}
    table = dataset_table(opened, labels, modalities, paper)
    units = released_units(load_recording(file, responses=False) for files in scored.values() for file in files)
    made_by = provenance(inputs={f"{file.parent.name}/{file.stem}": file for file in recordings}, code=code)
    tables = {"table": table, "subjects": subjects, "released_units": units, "released": released_statistics(units)}
    for name, rows in tables.items():
        write_table(rows, outputs[name], made_by)
    for name, text in (("csv", table.to_csv(index=False)), ("markdown", readable(table))):
        with whole_file(outputs[name]) as part:
            part.write_text(text, encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        main(
            outputs,
            [Path(file) for file in snakemake.input.recordings],
            params.labels,
            params.modalities,
            params.paper,
            params.best_subjects,
            params.code,
        )
