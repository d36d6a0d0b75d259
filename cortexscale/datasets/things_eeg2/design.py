"""The presentations planned for the sessions of THINGS-EEG2, and checks that they took place."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from cortexscale.datasets.formats.meeg import EpochOptions, require_epochs
from cortexscale.datasets.formats.signal import require_voltages
from cortexscale.datasets.things_eeg2.files import RATE, TARGET, Part
from cortexscale.errors import InputError

_PLAUSIBLE = (1e-7, 1e-3)  # limits, in V, of the median channel's standard deviation over one epoch
HOLE = "the file has a hole; fetch it again"
_REMEDY = "fetch the session again; if it is partial or simulated on purpose, set things_eeg2's counts"


@dataclass(frozen=True)
class Plan:
    """The planned presentations of one split in a session, according to the options of the reader."""

    images: int
    images_per_session: int
    repetitions: int
    presentations: int
    targets: int


@dataclass(frozen=True)
class Session:
    """The recordings of one split in one session."""

    number: int
    name: str
    parts: list[Part]  # in order of time
    at_most: int | None  # number of presentations of an image that count, from the first on; None if all count

    @cached_property
    def conditions(self) -> np.ndarray:
        """Conditions (presentations,) of all parts."""
        return np.concatenate([part.conditions for part in self.parts])

    @property
    def is_target(self) -> np.ndarray:
        return self.conditions == TARGET

    @cached_property
    def kept(self) -> np.ndarray:
        """Whether each presentation counts, (presentations,) bool. Targets do not count."""
        rank = pd.Series(self.conditions).groupby(self.conditions).cumcount().to_numpy()
        return ~self.is_target & (rank < (self.at_most or len(rank)))


def require_plan(sessions: list[Session], plan: Plan) -> None:
    """Raise an InputError unless every session has the planned images, and sessions divide the images without overlap.

    A session has a part of the images. If it has half of them, sessions 1 and 2 together have every image once, and so do
    sessions 3 and 4. If one of two such sessions is missing, the other one still has only its own half.
    """
    in_turn = max(1, plan.images // plan.images_per_session)  # number of consecutive sessions that together have every image once
    seen: dict[int, np.ndarray] = {}
    for session in sessions:
        n_images, n_targets = len(session.conditions), session.is_target.sum()
        if (n_images, n_targets) != (plan.presentations, plan.targets):
            found = f"{n_images:,} images, {n_targets:,} of them targets"
            raise InputError(session.name, found, f"{plan.presentations:,} images, {plan.targets:,} of them targets", _REMEDY)
        images, counts = np.unique(session.conditions[~session.is_target], return_counts=True)
        if images[0] < 1 or images[-1] > plan.images:
            raise InputError(session.name, f"images {images[0]:,} to {images[-1]:,}", f"1 to {plan.images:,}", _REMEDY)
        if len(images) != plan.images_per_session or counts.min() < plan.repetitions:
            found = f"{len(images):,} images, the rarest {counts.min()} times"
            expected = f"{plan.images_per_session:,} images, each at least {plan.repetitions} times"
            raise InputError(session.name, found, expected, _REMEDY)
        seen.setdefault((session.number - 1) // in_turn, np.zeros(plan.images, dtype=int))[images - 1] += 1
    _require_different(sessions)
    for turn, times in seen.items():
        members = [session for session in sessions if (session.number - 1) // in_turn == turn]
        wrong = times != 1 if len(members) == in_turn else times > 1
        if wrong.any():
            where, image = ", ".join(session.name for session in members), wrong.argmax()
            found = f"image {image + 1:,} in {times[image]} of these {len(members)} sessions"
            remedy = f"is one of them a copy, or of another subject? {_REMEDY}"
            raise InputError(where, found, f"each of {plan.images:,} images in one session", remedy)


def _require_different(sessions: list[Session]) -> None:
    """Raise an InputError if two sessions present the same images in the same order, which is random."""
    for first, other in combinations(sessions, 2):
        if np.array_equal(first.conditions, other.conditions):
            found = "the same images in the same order"
            raise InputError(
                f"{first.name}, {other.name}", found, "an order of its own in each session", f"one is a copy: {_REMEDY}"
            )


def require_eeg(part: Part, channels: Sequence[str], options: EpochOptions) -> None:
    """Raise an InputError unless all epochs are within their recording, and the first epoch has amplitudes of EEG."""
    require_epochs(part.path, part.onsets, part.n_samples, RATE, options)
    first, stop = (part.onsets[0] + round(seconds * RATE) for seconds in (options.tmin, options.tmax))
    volts = part.segment(first, stop)
    if not np.isfinite(volts).all():
        require_voltages(part.path, volts, channels, first, RATE, HOLE)
    deviation = float(np.median(volts.std(axis=1)))
    if not _PLAUSIBLE[0] < deviation < _PLAUSIBLE[1]:
        found = f"a standard deviation of {deviation:.2g} V around the first image"
        remedy = "if the file is in microvolts set things_eeg2's `unit: uV`; if it has a hole, fetch it again"
        raise InputError(part.path, found, f"{_PLAUSIBLE[0]:g} to {_PLAUSIBLE[1]:g} V", remedy)
