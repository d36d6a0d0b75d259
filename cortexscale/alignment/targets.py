"""Responses as regression targets: the units of all subjects that saw the same stimuli, side by side.

A kernel depends on the stimuli only. So subjects that share them (all of a THINGS dataset) share every
decomposition, and a unit that lies in several ROIs is fitted once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.kernels.responses import Responses
from cortexscale.recording import Recording
from cortexscale.stimuli import stimulus_rows


@dataclass(frozen=True)
class Targets:
    """Units of subjects with the same stimuli.

    Attributes:
        dataset: its name in the config.
        train_rows (n,), test_rows (m,): rows of the stimulus table.
        train (n, units), test (m, units): responses, float32.
        nc_percent (units,): noise ceiling of the test responses, percent of variance.
        groups: one row per non-empty subject x ROI: ``benchmark_name`` (the dataset), ``subject``, ``roi``, ``n_units``.
        members (groups, units): which units belong to which group.
        unit_names (units,): unit ids, unique within a subject.
    """

    dataset: str
    train_rows: np.ndarray
    test_rows: np.ndarray
    train: np.ndarray
    test: np.ndarray
    nc_percent: np.ndarray
    groups: pd.DataFrame
    members: np.ndarray
    unit_names: np.ndarray

    @cached_property
    def responses(self) -> Responses:
        """What ridge makes of them once, for all layers."""
        return Responses.of(self.train, self.members, self.test)


def shared_targets(recordings: Sequence[Recording], stimuli: pd.DataFrame, rois: Sequence[str]) -> list[Targets]:
    """Put the recordings of a dataset together, one Targets per set of stimuli.

    Raises:
        InputError: a stimulus has no image, a ROI is unknown to the recordings, or no unit lies in any ROI.
    """
    by_stimuli: dict[tuple, list[Recording]] = {}
    for recording in recordings:
        unknown = set(rois) - set(recording.rois)
        if unknown:
            raise InputError(
                f"recording {recording.dataset}/{recording.subject}",
                f"no ROI {', '.join(sorted(unknown))}",
                f"ROIs among {', '.join(recording.rois)}",
                "correct `rois` of this dataset in the config",
            )
        key = (*recording.train.stimulus_ids, None, *recording.test.stimulus_ids)
        by_stimuli.setdefault(key, []).append(recording)
    return [side_by_side(group, stimuli, rois) for group in by_stimuli.values()]


def side_by_side(recordings: Sequence[Recording], stimuli: pd.DataFrame, rois: Sequence[str]) -> Targets:
    first = recordings[0]
    name = f"{first.dataset}/{first.subject}"
    kept = [recording.rois[list(rois)].to_numpy().any(axis=1) for recording in recordings]
    sizes = [int(units.sum()) for units in kept]
    if not sum(sizes):
        raise InputError(f"recording {name}", f"no unit in {', '.join(rois)}", "units in at least one ROI", "correct `rois`")
    groups, members, start = [], [], 0
    for recording, units, size in zip(recordings, kept, sizes, strict=True):
        for roi in rois:
            inside = recording.rois[roi].to_numpy()[units]
            if inside.any():
                groups.append((recording.dataset, recording.subject, roi, int(inside.sum())))
                members.append(np.pad(inside, (start, sum(sizes) - start - size)))
        start += size
    pairs = list(zip(recordings, kept, strict=True))
    return Targets(
        dataset=first.dataset,
        train_rows=stimulus_rows(stimuli, first.train.stimulus_ids, f"{name} (train)", "stimulus table"),
        test_rows=stimulus_rows(stimuli, first.test.stimulus_ids, f"{name} (test)", "stimulus table"),
        train=np.concatenate([recording.train.responses[:, units] for recording, units in pairs], axis=1),
        test=np.concatenate([recording.test.responses[:, units] for recording, units in pairs], axis=1),
        nc_percent=np.concatenate([recording.units["nc_percent"].to_numpy()[units] for recording, units in pairs]),
        groups=pd.DataFrame(groups, columns=["benchmark_name", "subject", "roi", "n_units"]),
        members=np.array(members),
        unit_names=np.concatenate([recording.units["unit"].to_numpy().astype(str)[units] for recording, units in pairs]),
    )
