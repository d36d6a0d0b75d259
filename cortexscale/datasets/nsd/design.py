"""The image of every trial of a subject of NSD. Three files list the images, and are checked against each other."""

from dataclasses import dataclass

import numpy as np

from cortexscale.datasets.formats.matlab import read_integers
from cortexscale.datasets.nsd.files import Release
from cortexscale.text_tables import read_table


@dataclass(frozen=True)
class Design:
    """The images that one subject would see in all planned sessions. Some sessions did not take place."""

    images: np.ndarray  # (n,) 0-based stimulus ids
    ordering: np.ndarray  # (planned trials,) for each trial, an index into the images; the same for every subject
    n_shared: int  # number of shared images, which every subject sees; they come first


def read_design(release: Release, n_trials: int, n_images: int, n_shared: int) -> Design:
    """Read the design of one subject. Check it against the stimulus table and the behavioural log of ``n_trials`` trials.

    According to plan, each subject sees ``n_images`` images, and ``n_shared`` of them are shared by all subjects.
    """
    path = release.design
    content = read_integers(path, ("masterordering", "subjectim", "sharedix"), release.remedy(path))
    ordering, subject_images, shared = (values - 1 for values in content.values())
    ordering, shared = ordering.ravel(), shared.ravel()

    row = int(release.subject.removeprefix("subj")) - 1
    if subject_images.shape[0] <= row or subject_images.shape[1] != n_images:
        found = f"subjectim of shape {subject_images.shape}"
        raise release.unlike(path, found, f"a row for {release.subject} and {n_images} columns (`images_per_subject`)")
    if len(shared) != n_shared:
        raise release.unlike(path, f"{len(shared)} images in sharedix", f"{n_shared} (`shared_images`)")
    images = subject_images[row]
    if len(ordering) < n_trials:
        found = f"{len(ordering)} trials in masterordering"
        raise release.unlike(path, found, f"at least {n_trials}, the sessions of {release.subject}")
    if ordering.min() < 0 or ordering.max() >= len(images):
        raise release.unlike(path, f"masterordering from {ordering.min() + 1} to {ordering.max() + 1}", f"1 to {len(images)}")
    _check_stimulus_table(release, images, shared)
    if len(np.unique(images)) != len(images):
        raise release.unlike(path, f"images that repeat in subjectim of {release.subject}", "each image once")
    if set(images[: len(shared)]) != set(shared):
        found = f"the first {len(shared)} images of {release.subject} are not those of sharedix"
        raise release.unlike(path, found, "the same images")

    _check_responses(release, images[ordering[:n_trials]])
    return Design(images, ordering, len(shared))


def _check_stimulus_table(release: Release, images: np.ndarray, shared: np.ndarray) -> None:
    path = release.stimulus_table
    table = read_table(path, ",", ["nsdId"], ["shared1000"], remedy=release.remedy(path))
    if not np.array_equal(table["nsdId"], np.arange(len(table))):
        raise release.unlike(path, "nsdId that does not count 0, 1, 2 ...", "nsdId = row")
    if images.min() < 0 or images.max() >= len(table):
        found = f"ids from {images.min() + 1} to {images.max() + 1} in subjectim of {release.subject}"
        raise release.unlike(release.design, found, f"ids from 1 to {len(table)}, the number of rows of {path.name}")
    if unknown := {*table["shared1000"]} - {"True", "False"}:
        raise release.unlike(path, f"{min(unknown)} in the column shared1000", "True or False")
    marked = np.flatnonzero(table["shared1000"] == "True")
    if not np.array_equal(marked, np.sort(shared)):
        found = f"{len(marked)} images marked shared1000, other ones than the {len(shared)} of {release.design.name}"
        raise release.unlike(path, found, "the images of sharedix, less 1")


def _check_responses(release: Release, trials: np.ndarray) -> None:
    path = release.responses
    table = read_table(path, "\t", ["SESSION", "73KID"], remedy=release.remedy(path))
    # The log may have more sessions than the config asks for. Its trials are in order.
    logged = table["73KID"].to_numpy()[: len(trials)]
    if len(logged) < len(trials):
        raise release.unlike(path, f"{len(logged)} trials", f"{len(trials)}, the sessions of {release.subject}")
    if differ := np.flatnonzero(logged != trials + 1).tolist():
        found = f"73KID unlike the design in {len(differ)} trials, first in trial {differ[0] + 1}"
        raise release.unlike(path, found, f"subjectim[masterordering] of {release.design.name}")


@dataclass(frozen=True)
class Rows:
    """The row of each image in the array of responses. Training images come first, then test images, then unused images."""

    ids: np.ndarray  # (n,) 0-based id of every presented image, ascending within each of the three parts
    counts: np.ndarray  # (n,) number of trials of each image
    of_trial: np.ndarray  # (sessions, trials per session) row of each trial's image
    train: slice
    test: slice

    def counts_in(self, sessions: np.ndarray) -> np.ndarray:
        """Return the number of trials of each image, (n,), in some sessions. The sessions are given as a mask or as indices."""
        return np.bincount(self.of_trial[sessions].ravel(), minlength=len(self.ids))


def assign_rows(design: Design, sessions: int, trials_per_session: int, test_seen_thrice_by: int = 0) -> Rows:
    """Assign rows to the images of the first ``sessions`` sessions.

    Shared images are test images, and all others are training images. If ``test_seen_thrice_by`` is a session, shared images
    that were not presented three times by the end of this session are unused.
    """
    index, inverse, counts = np.unique(design.ordering[: sessions * trials_per_session], return_inverse=True, return_counts=True)
    is_shared = index < design.n_shared
    early = np.bincount(design.ordering[: test_seen_thrice_by * trials_per_session], minlength=len(design.images))[index]
    is_test = is_shared & (early >= 3) if test_seen_thrice_by else is_shared
    order = np.lexsort((design.images[index], is_shared & ~is_test, is_shared))
    of_trial = np.argsort(order)[inverse].reshape(sessions, trials_per_session)
    n_train, n_test = int((~is_shared).sum()), int(is_test.sum())
    return Rows(design.images[index][order], counts[order], of_trial, slice(0, n_train), slice(n_train, n_train + n_test))
