"""Responses as regression targets. Subjects that saw the same stimuli have their units side by side in one array.

A kernel depends only on the stimuli. Subjects with the same stimuli, such as all subjects of a THINGS dataset, therefore share
every decomposition. A unit that lies in several ROIs is fitted once.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cortexscale.arrays import open_hdf5
from cortexscale.errors import InputError
from cortexscale.files import whole_file
from cortexscale.kernels.device import best_device
from cortexscale.kernels.responses import Responses
from cortexscale.kernels.similarity import Geometry, roi_geometries
from cortexscale.recording import Recording
from cortexscale.stimuli import stimulus_rows

log = logging.getLogger(__name__)


class PreparedResponses:
    """A file that :func:`prepare_responses` wrote. It has results that depend only on responses."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        try:
            self._file = open_hdf5(self.path)
        except OSError as error:
            found = f"not a readable HDF5 file ({error})"
            raise InputError(path, found, "prepared responses", "delete it and run again") from None

    def geometry(self, place: str, split: str, n: int) -> Geometry:
        """Read the geometry of a split of ``n`` stimuli. ``place`` is ``<dataset>/<subject>/<roi>``."""
        found, pairs = self._file.get(f"{place}/{split}"), n * (n - 1) // 2
        if found is None or len(found["products"]) != pairs:
            what = f"{len(found['products'])} pairs of stimuli in" if found else "no"
            expected, remedy = f"the {pairs} pairs of {n} stimuli", "delete the file and run again"
            raise InputError(self.path, f"{what} {place}/{split}", expected, remedy)
        return Geometry(*(torch.from_numpy(found[name][:]) for name in ("distance_ranks", "products")))

    def factor(self, place: str) -> torch.Tensor | None:
        """Read the factor of the ``place`` ``<dataset>/<subject>/<roi>``, or return None if the file has no such factor."""
        found = self._file.get(f"{place}/factor")
        return None if found is None else torch.from_numpy(found[:])


@dataclass(frozen=True)
class Targets:
    """The float32 responses of subjects that saw the same stimuli, with the units of all these subjects side by side.

    ``train_rows`` and ``test_rows`` are row numbers in the stimulus table. ``train_concepts`` has the concept of each training
    stimulus, by which folds can be grouped. ``nc_percent`` is the noise ceiling of the test responses in percent of variance.
    ``groups`` has one row for each subject x ROI that has units. The boolean ``members`` (groups, units) tells which units each
    group has. ``unit_names`` are unique within a subject. ``perfect`` (groups, units) is the expected r^2 of a perfect model for
    the units of each group, nan if it is not known (:class:`cortexscale.recording.Recording`). ``truth`` has the
    noise-free responses to the test stimuli of simulated recordings, nan for units without signal.
    """

    dataset: str
    train_rows: np.ndarray
    test_rows: np.ndarray
    train_concepts: np.ndarray
    train: np.ndarray
    test: np.ndarray
    nc_percent: np.ndarray
    groups: pd.DataFrame
    members: np.ndarray
    unit_names: np.ndarray
    perfect: np.ndarray
    truth: np.ndarray | None = None
    prepared: PreparedResponses | None = None

    @cached_property
    def responses(self) -> Responses:
        """The responses in the form that ridge regression takes. Results that do not depend on the layer are computed once."""
        prepared = self.prepared
        factor = (lambda group: prepared.factor(self.place(group))) if prepared else None
        return Responses(self.train, self.members, self.test, known_factor=factor)

    def place(self, group: int) -> str:
        """Name a group as ``<dataset>/<subject>/<roi>``."""
        return "/".join(map(str, self.groups.loc[group, ["benchmark_name", "subject", "roi"]]))

    def geometry(self, group: int, split: str) -> Geometry:
        assert self.prepared, "responses are prepared before features are compared with them"
        return self.prepared.geometry(self.place(group), split, len(getattr(self, split)))

    def restricted(self, rois: Sequence[str], subjects: Sequence[str] | None = None) -> "Targets | None":
        """Keep only these ROIs and subjects. Without ``subjects``, keep all subjects. If no group remains, return None."""
        wanted = self.groups["roi"].isin(rois).to_numpy()
        if subjects is not None:
            wanted = wanted & self.groups["subject"].isin(subjects).to_numpy()
        if wanted.all():
            return self
        if not wanted.any():
            return None
        units = self.members[wanted].any(axis=0)
        return replace(
            self,
            train=self.train[:, units],
            test=self.test[:, units],
            nc_percent=self.nc_percent[units],
            groups=self.groups[wanted].reset_index(drop=True),
            members=self.members[wanted][:, units],
            unit_names=self.unit_names[units],
            perfect=self.perfect[wanted][:, units],
            truth=None if self.truth is None else self.truth[:, units],
        )


def prepare_responses(targets: Sequence[Targets], splits: Sequence[str], path: Path | str, made_by: Mapping[str, Any]) -> None:
    """Write the geometry of every subject x ROI in each split, and a factor if the ROI has many more units than stimuli.

    The file has ``<dataset>/<subject>/<roi>/<split>/{distance_ranks, products}``, each (n (n - 1) / 2,) for n stimuli. It also
    has ``<dataset>/<subject>/<roi>/factor``, (n_train, r), from :meth:`~cortexscale.kernels.responses.Responses.factor`.
    """
    device = best_device()
    with whole_file(path) as part, open_hdf5(part, "w") as file:
        file.attrs["made_by"] = json.dumps(made_by, default=str)
        for target in targets:
            places = [file.create_group(target.place(group)) for group in range(len(target.groups))]
            for group, place in enumerate(places):
                if target.responses.is_wide(group):
                    place["factor"] = target.responses.factor(group, device).cpu().numpy()
            for split in splits:
                responses = torch.from_numpy(getattr(target, split)).to(device, torch.float64)
                for place, geometry in zip(places, roi_geometries(responses, target.members), strict=True):
                    place[f"{split}/distance_ranks"] = geometry.distance_ranks.cpu().numpy()
                    place[f"{split}/products"] = geometry.products.cpu().numpy()


def shared_targets(
    recordings: Sequence[Recording], stimuli: pd.DataFrame, rois: Sequence[str], truths: Mapping[str, Recording] | None = None
) -> list[Targets]:
    """Combine recordings of a dataset into Targets, one for each set of subjects that saw the same stimuli.

    ``truths`` has the recording of the noise-free responses of each subject.
    """
    by_stimuli: dict[tuple[str | None, ...], list[Recording]] = {}
    for recording in recordings:
        unknown = set(rois) - set(recording.rois)
        if unknown:
            where, found = f"recording {recording.dataset}/{recording.subject}", f"no ROI {', '.join(sorted(unknown))}"
            expected = f"ROIs among {', '.join(map(str, recording.rois))}"
            raise InputError(where, found, expected, "correct `rois` of this dataset in the config")
        key = (*recording.train.stimulus_ids, None, *recording.test.stimulus_ids)
        by_stimuli.setdefault(key, []).append(recording)
    return [_side_by_side(group, stimuli, rois, truths) for group in by_stimuli.values()]


def warn_of_shared_images(targets: Sequence[Targets], stimuli: pd.DataFrame) -> None:
    """Warn of images that are among both the training and the test stimuli of a subject, under two names."""
    ids, hashes = stimuli["stimulus_id"].to_numpy(), stimuli["hash"].to_numpy()
    for target in targets:
        trained = dict(zip(hashes[target.train_rows], ids[target.train_rows], strict=True))
        same = [row for row in target.test_rows if hashes[row] in trained]
        if same:
            subjects = ", ".join(target.groups["subject"].unique())
            log.warning(
                "%s (%s): %d of %d test stimuli are the same images as training stimuli, e.g. %s and %s. Scores of such "
                "stimuli are too high: leave one of each pair out of the recordings",
                *(target.dataset, subjects, len(same), len(target.test_rows), ids[same[0]], trained[hashes[same[0]]]),
            )


def recording_rows(recording: Recording, stimuli: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers of a recording's training stimuli and test stimuli in the stimulus table."""
    name = f"{recording.dataset}/{recording.subject}"
    train = stimulus_rows(stimuli, recording.train.stimulus_ids, f"{name} (train)")
    return train, stimulus_rows(stimuli, recording.test.stimulus_ids, f"{name} (test)")


def _side_by_side(
    recordings: Sequence[Recording], stimuli: pd.DataFrame, rois: Sequence[str], truths: Mapping[str, Recording] | None
) -> Targets:
    first = recordings[0]
    kept = [recording.rois[list(rois)].to_numpy().any(axis=1) for recording in recordings]
    sizes = [int(units.sum()) for units in kept]
    if not sum(sizes):
        where = f"recording {first.dataset}/{first.subject}"
        raise InputError(where, f"no unit in {', '.join(rois)}", "units in at least one ROI", "correct `rois`")
    groups, members, perfect, start = [], [], [], 0
    for recording, units, size in zip(recordings, kept, sizes, strict=True):
        for roi in rois:
            inside = recording.rois[roi].to_numpy()[units]
            if inside.any():
                groups.append((recording.dataset, recording.subject, roi, int(inside.sum())))
                around = (start, sum(sizes) - start - size)
                members.append(np.pad(inside, around))
                known = recording.perfect.get(roi, pd.Series(np.nan, recording.units.index)).to_numpy()
                perfect.append(np.pad(known[units], around, constant_values=np.nan))
        start += size
    pairs = list(zip(recordings, kept, strict=True))
    train_rows, test_rows = recording_rows(first, stimuli)
    return Targets(
        dataset=first.dataset,
        train_rows=train_rows,
        test_rows=test_rows,
        train_concepts=stimuli["concept"].to_numpy()[train_rows],
        train=np.concatenate([recording.train.responses[:, units] for recording, units in pairs], axis=1),
        test=np.concatenate([recording.test.responses[:, units] for recording, units in pairs], axis=1),
        nc_percent=np.concatenate([recording.units["nc_percent"].to_numpy()[units] for recording, units in pairs]),
        groups=pd.DataFrame(groups, columns=["benchmark_name", "subject", "roi", "n_units"]),
        members=np.array(members),
        unit_names=np.concatenate([recording.units["unit"].to_numpy().astype(str)[units] for recording, units in pairs]),
        perfect=np.array(perfect),
        truth=np.concatenate([_noise_free(each, truths[each.subject])[:, units] for each, units in pairs], 1) if truths else None,
    )


def _noise_free(recording: Recording, truth: Recording) -> np.ndarray:
    """Return the noise-free responses to the test stimuli of a recording (stimuli, units), nan for units without signal."""
    rows = pd.Index(truth.test.stimulus_ids).get_indexer(recording.test.stimulus_ids)
    columns = pd.Index(truth.units["unit"]).get_indexer(recording.units["unit"])
    return np.where((rows >= 0)[:, None] & (columns >= 0), truth.test.responses[np.ix_(rows, columns)], np.nan)
