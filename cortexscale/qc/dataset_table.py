"""The datasets of a study at a glance, beside the paper's (Table S1)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.markdown import markdown_table
from cortexscale.recording import Recording

_COLUMNS = ("modality", "stimuli", "noise_ceiling", "subjects", "rois", "train", "test", "train_repetitions", "test_repetitions")
PAPER = {
    handle: dict(zip(_COLUMNS, row, strict=True))
    for handle, row in {
        "FZ-EP": ("ephys", 135, 0.881070, 1, 2, 121, 14, 20, 20),
        "MH-EP": ("ephys", 3_200, 0.869264, 2, 2, 2_880, 320, 50, 50),
        "TVSD-EP": ("ephys", 22_248, 0.976046, 2, 3, 22_248, 100, 1, 30),
        "T-fMRI": ("fMRI", 8_640, 0.506084, 3, 28, 8_640, 100, 1, 12),
        "NSD-fMRI": ("fMRI", 70_000, 0.551898, 8, 28, 9_000, 1_000, 3, 3),
        "T-MEG": ("MEG", 22_248, 0.350308, 4, 7, 22_248, 200, 1, 12),
        "T-EEG1": ("EEG", 22_248, 0.303142, 10, 7, 22_248, 200, 1, 12),
        "T-EEG2": ("EEG", 16_740, 0.490773, 10, 7, 16_540, 200, 4, 80),
    }.items()
}
"""Table S1 of the paper, by handle. It does not say what its noise ceilings are averaged over, nor whether they are of the
variance or of its root. Test images are not among its stimuli for the TVSD and the THINGS fMRI, MEG and EEG1."""


def dataset_table(datasets: Mapping[str, Iterable[Recording]], labels: Mapping[str, str]) -> pd.DataFrame:
    """One row per dataset: what the study has, and what the paper had.

    Counts of units, train and test are means over subjects, and repetitions over images and subjects. Ceilings are
    averaged over the kept units of a subject, then over subjects. Responses are not looked at.

    Args:
        datasets: the recordings of every dataset, by its name in the config.
        labels: the handle that a figure shows for it; the paper's row is found by it.

    Returns:
        ``handle``, ``modality`` (empty if the paper has no such dataset), ``stimuli`` (distinct, both splits, all
        subjects), ``subjects``, ``rois`` (that have units in a subject), ``units``, ``train``, ``test``,
        ``train_repetitions``, ``test_repetitions``, ``nc_percent`` (of variance) and ``nc_r`` (its square root, the
        ceiling of a correlation); then the paper's as ``paper_stimuli`` ... ``paper_noise_ceiling`` (nan if it has none).
    """
    return pd.DataFrame([_row(labels.get(name, name), recordings) for name, recordings in datasets.items()])


def _row(handle: str, recordings: Iterable[Recording]) -> dict:
    stimuli: set[str] = set()
    rois: set[str] = set()
    subjects = []
    for recording in recordings:
        for split in (recording.train, recording.test):
            stimuli.update(split.stimulus_ids.tolist())
        rois.update(recording.rois.columns[recording.rois.any()])
        share = recording.units["nc_percent"] / 100
        subjects.append(
            {
                "units": len(recording.units),
                "train": len(recording.train.stimulus_ids),
                "test": len(recording.test.stimulus_ids),
                "train_repetitions": recording.train.repetitions.mean(),
                "test_repetitions": recording.test.repetitions.mean(),
                "nc_percent": 100 * share.mean(),
                "nc_r": np.sqrt(share).mean(),
            }
        )
    paper = PAPER.get(handle, {})
    return {
        "handle": handle,
        "modality": paper.get("modality", ""),
        "stimuli": len(stimuli),
        "subjects": len(subjects),
        "rois": len(rois),
        **pd.DataFrame(subjects).mean(),
        **{f"paper_{column}": paper.get(column, np.nan) for column in _COLUMNS[1:]},
    }


def readable(table: pd.DataFrame) -> str:
    """Write a table of :func:`dataset_table` in Markdown: the study's number, then the paper's in brackets."""
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
        }
        for row in table.to_dict("records")
    ]
    note = "Paper's numbers (Table S1) in brackets. Units, train, test: mean over subjects."
    return markdown_table(pd.DataFrame(cells), note, left=["Dataset", "Modality"])


def _both(row: dict[str, Any], column: str) -> str:
    paper = row[f"paper_{column}"]
    return _number(row[column]) + (f" ({_number(paper)})" if np.isfinite(paper) else "")


def _number(value: float, decimals: int = 2) -> str:
    if not np.isfinite(value):
        return ""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.{decimals}f}"
