"""Choice of the scored subjects of a dataset, and loading of their responses as regression targets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.alignment.targets import PreparedResponses, Targets, recording_rows, shared_targets
from cortexscale.errors import InputError
from cortexscale.recording import load_recording, load_screening
from cortexscale.study.targets import BestSubjects, DatasetTargets


def rank_subjects(recordings: Sequence[Path], best_subjects: BestSubjects | None) -> pd.DataFrame:
    """Rank subjects by their mean noise ceiling over all examined units. The noise ceiling counts as 0 if a unit has none.

    ``best_subjects`` names the ROI whose units count (paper, appendix A.3). Without ``best_subjects``, all subjects are scored.
    The columns are ``subject``, ``mean_nc_percent`` (percent of variance) and ``scored``. The subject with the highest mean
    comes first.
    """
    means = []
    for file in recordings:
        screening = load_screening(file)
        if best_subjects:
            roi = best_subjects.roi
            if roi not in screening or not screening[roi].any():
                raise InputError(file, f"no unit in {roi}", "units in the ROI of `best_subjects`", "choose another ROI there")
            screening = screening[screening[roi].to_numpy(bool)]
        means.append(float(np.nan_to_num(screening["nc_percent"].to_numpy(float)).mean()))
    ranked = pd.DataFrame({"subject": [file.stem for file in recordings], "mean_nc_percent": means})
    ranked = ranked.sort_values("mean_nc_percent", ascending=False, kind="stable", ignore_index=True)
    return ranked.assign(scored=np.arange(len(ranked)) < (best_subjects.count if best_subjects else len(ranked)))


def scored_subjects(recordings: Sequence[Path], best_subjects: BestSubjects | None) -> list[Path]:
    """Select the recordings that :func:`rank_subjects` marks as scored, in the given order."""
    if not best_subjects:
        return list(recordings)
    ranked = rank_subjects(recordings, best_subjects)
    scored = set(ranked.loc[ranked["scored"], "subject"])
    return [file for file in recordings if file.stem in scored]


def named_recordings(recordings: Iterable[Path]) -> dict[str, Path]:
    """Map the name ``<dataset>/<subject>`` of each recording, as used in provenance, to its file."""
    return {f"{file.parent.name}/{file.stem}": file for file in recordings}


def load_targets(
    recordings: Sequence[Path],
    datasets: Mapping[str, DatasetTargets],
    stimuli: pd.DataFrame,
    prepared: Path | None = None,
    truths: Sequence[Path] = (),
) -> list[Targets]:
    """Load the responses from files ``<dataset>/<subject>.h5``. All datasets have the same stimulus set.

    ``truths`` are folders ``<dataset>`` with the noise-free responses of the subjects. Only simulated datasets have them.
    """
    targets, known = [], PreparedResponses(prepared) if prepared else None
    for name, dataset in datasets.items():
        files = scored_subjects([file for file in recordings if file.parent.name == name], dataset.best_subjects)
        true = {file.stem: load_recording(folder / file.name) for folder in truths if folder.name == name for file in files}
        targets += shared_targets([load_recording(file) for file in files], stimuli, dataset.rois, true)
    return [replace(target, prepared=known) for target in targets]


def shown_images(
    recordings: Sequence[Path], best_subjects: Mapping[str, BestSubjects | None], stimuli: pd.DataFrame
) -> list[np.ndarray]:
    """List the stimuli of each scored subject as rows of the stimulus table, with training stimuli first."""
    shown = []
    for name, best in best_subjects.items():
        for file in scored_subjects([file for file in recordings if file.parent.name == name], best):
            recording = load_recording(file, responses=False)
            shown.append(np.concatenate(recording_rows(recording, stimuli)))
    return shown
