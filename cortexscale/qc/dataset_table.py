"""The table of the datasets of a study: counts and noise ceilings of the study beside those in the paper (Table S1)."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.datasets.facts import MODALITY_NAMES, PaperCounts
from cortexscale.markdown import markdown_table
from cortexscale.recording import Recording
from cortexscale.study.data import Modality


def dataset_table(
    datasets: Mapping[str, Iterable[Recording]],
    labels: Mapping[str, str],
    modalities: Mapping[str, Modality | None],
    paper: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Make a table with one row per dataset. It has the numbers of the study and the numbers of the paper (Table S1).

    Numbers of units and of training and test stimuli are means over subjects. Repetitions are means over images and subjects.
    Noise ceilings are averaged over the kept units of a subject, then over subjects.

    Returns:
        A table with the columns ``handle`` (the label), ``modality`` (empty if unknown), ``stimuli`` (number of distinct stimuli
        in both splits and all subjects), ``subjects``, ``rois`` (number of ROIs in which a subject has units), ``units``,
        ``train``, ``test``, ``train_repetitions``, ``test_repetitions``, ``nc_percent`` (noise ceiling in percent of variance)
        and ``nc_r`` (the square root of the noise ceiling, which bounds Pearson r). ``kept_by_chance`` is the fraction of kept
        units that noise alone would explain (M/EEG only). ``perfect_pearsonr_nc`` is the score that a perfect model would get
        with the paper's method, as a mean over ROIs. The columns ``paper_stimuli`` to ``paper_noise_ceiling`` have the paper's
        numbers. Unknown numbers are nan.
    """
    rows = []
    for name, recordings in datasets.items():
        modality = modalities[name]
        named = {"handle": labels[name], "modality": MODALITY_NAMES[modality] if modality else ""}
        published = {f"paper_{field.name}": paper.get(name, {}).get(field.name, np.nan) for field in fields(PaperCounts)}
        rows.append({**named, **_counts(recordings), **published})
    return pd.DataFrame(rows)


def _counts(recordings: Iterable[Recording]) -> dict[str, float]:
    """Return the columns from ``stimuli`` to ``nc_r`` for the recordings of one dataset."""
    stimuli: set[str] = set()
    rois: set[str] = set()
    subjects = []
    for recording in recordings:
        perfect = recording.notes.get("perfect_pearsonr_nc", {}).values()
        for split in (recording.train, recording.test):
            stimuli.update(split.stimulus_ids.tolist())
        rois.update(recording.rois.columns[recording.rois.any()])
        fraction = recording.units["nc_percent"] / 100
        subjects.append(
            {
                "units": len(recording.units),
                "train": len(recording.train.stimulus_ids),
                "test": len(recording.test.stimulus_ids),
                "train_repetitions": recording.train.repetitions.mean(),
                "test_repetitions": recording.test.repetitions.mean(),
                "nc_percent": 100 * fraction.mean(),
                "nc_r": np.sqrt(fraction).mean(),
                "kept_by_chance": recording.notes.get("kept_by_chance", np.nan),
                "perfect_pearsonr_nc": np.mean(list(perfect)) if perfect else np.nan,
            }
        )
    return {"stimuli": len(stimuli), "subjects": len(subjects), "rois": len(rois), **pd.DataFrame(subjects).mean()}


def readable(table: pd.DataFrame) -> str:
    """Format the table from :func:`dataset_table` in Markdown. The paper's numbers stand in brackets after the study's."""
    cells = [
        {
            "Dataset": row["handle"],
            "Modality": row["modality"],
            "Stimuli": _both(row, "stimuli"),
            "Subjects": _both(row, "subjects"),
            "ROIs": _both(row, "rois"),
            "Units": _number(row["units"]),
            "Train": _both(row, "train"),
            "Test": _both(row, "test"),
            "Repetitions": " : ".join(_both(row, f"{split}_repetitions") for split in ("train", "test")),
            "Ceiling, % of variance": f"{row['nc_percent']:.1f}",
            "Ceiling of r": f"{row['nc_r']:.3f}",
            "Paper's ceiling": _number(row["paper_noise_ceiling"], 3),
            "Kept by chance": _number(row["kept_by_chance"]),
            "Score of a perfect model": _number(row["perfect_pearsonr_nc"], 3),
        }
        for row in table.to_dict("records")
    ]
    note = (
        "Paper's numbers (Table S1) in brackets. Units, train, test: mean over subjects. Kept by chance: number of EEG and MEG "
        "units that pass the threshold if trials are permuted, divided by the number of kept units. Score of a perfect model: "
        "`pearsonr_nc` of a model that knows every signal; its calibrated score is 1."
    )
    return markdown_table(pd.DataFrame(cells), note, left=["Dataset", "Modality"])


def _both(row: Mapping[Hashable, Any], column: str) -> str:
    paper = row[f"paper_{column}"]
    return _number(row[column]) + (f" ({_number(paper)})" if np.isfinite(paper) else "")


def _number(value: float, decimals: int = 2) -> str:
    if not np.isfinite(value):
        return ""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.{decimals}f}"
