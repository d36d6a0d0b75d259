"""A writer of simulated experiments in the released layout of NSD.

Ids in arguments count from 0. Ids in files count from 1 where those of the release do.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cortexscale.arrays import open_hdf5
from cortexscale.datasets.nsd.files import Release
from cortexscale.datasets.nsd.reader import Options
from cortexscale.datasets.nsd.simulated_cortex import LABELS, Cortex
from cortexscale.files import whole_file, write_text
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials

TRIALS = 750  # number of trials in a session; its 12 runs have 63 and 62 trials in turn

_RUN = np.repeat(np.arange(1, 13), np.tile((63, 62), 6))
_SCALE = 300  # integer that stands for one percent of signal change


@dataclass(frozen=True)
class Experiment:
    """The images that all subjects are planned to see. Each image is planned three times."""

    subject_images: np.ndarray  # (subjects, n) stimulus ids of each subject's images; shared images come first
    ordering: np.ndarray  # (sessions * 750,) column of subject_images for each trial; the column is the same for every subject
    n_shared: int

    @property
    def n_images(self) -> int:
        """Number of distinct stimuli of all subjects. Their ids are 0 ... n - 1."""
        subjects, n = self.subject_images.shape
        return self.n_shared + subjects * (n - self.n_shared)


def plan_experiment(subjects: int, sessions: int, n_shared: int, seed: int) -> Experiment:
    """Plan an experiment in which each subject has 250 images per session, each in three trials. All trials are in random
    order."""
    rng = np.random.default_rng(seed)
    n = sessions * TRIALS // 3
    n_own = n - n_shared
    ids = rng.permutation(n_shared + subjects * n_own)
    shared, own = ids[:n_shared], ids[n_shared:].reshape(subjects, n_own)
    subject_images = np.hstack([np.tile(shared, (subjects, 1)), own])
    return Experiment(subject_images, rng.permutation(np.repeat(np.arange(n), 3)), n_shared)


def single_trials(signal: np.ndarray, shown: np.ndarray, ncsnr: np.ndarray, seed: int) -> np.ndarray:
    """Return trials in percent signal change, which are signal plus independent noise.

    Each session has a new offset and gain. ``signal`` (images, voxels) has unit variance. ``shown`` has the row of ``signal`` for
    each trial of complete sessions. ``ncsnr`` is the value that a reader should find.
    """
    rng = np.random.default_rng(seed)
    n_voxels = signal.shape[1]
    trials = np.empty((len(shown), n_voxels), np.float32)
    for first in range(0, len(shown), TRIALS):
        z = signal[shown[first : first + TRIALS]] * ncsnr + rng.standard_normal((TRIALS, n_voxels), dtype=np.float32)
        trials[first : first + TRIALS] = rng.normal(0.5, 0.5, n_voxels) + rng.uniform(1, 2, n_voxels) * z / np.sqrt(1 + ncsnr**2)
    return trials


def write_shared(root: Path, experiment: Experiment, images: np.ndarray) -> None:
    """Write the files that all subjects share: the design, the stimulus table and the uint8 images (n, size, size, 3)."""
    import scipy.io

    release = _release(root, "subj01")
    shared = np.sort(experiment.subject_images[0, : experiment.n_shared])
    slots = np.arange(75) < np.tile((63, 62), 6)[:, None]
    matlab = {
        "masterordering": experiment.ordering[None] + 1.0,
        "subjectim": experiment.subject_images + 1.0,
        "sharedix": shared[None] + 1.0,
        "stimpattern": np.tile(slots.astype(np.float64), (len(experiment.ordering) // TRIALS, 1, 1)),
    }
    with whole_file(release.design) as part:
        scipy.io.savemat(part, matlab, appendmat=False)
    with whole_file(release.stimulus_table) as part:
        _stimulus_table(experiment, shared).to_csv(part)
    with whole_file(root / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5") as part, open_hdf5(part, "w") as file:
        file["imgBrick"] = np.asarray(images, dtype=np.uint8)


def write_subject(root: Path, subject: str, experiment: Experiment, cortex: Cortex, trials: np.ndarray) -> None:
    """Write betas, ncsnr, ROI volumes, label names and the behavioural log of one subject.

    ``trials`` (sessions * 750, voxels) are percent signal change of ``cortex.voxels`` in order of presentation, for all planned
    sessions or only the first few. A voxel that is all zeros in a session is invalid in that session.
    """
    release = _release(root, subject)
    shown = experiment.subject_images[int(subject.removeprefix("subj")) - 1, experiment.ordering[: len(trials)]]
    stored = np.clip(np.round(trials * _SCALE), -(2**15), 2**15 - 1).astype("<i2")
    i, j, k = cortex.voxels.T
    for session in range(len(stored) // TRIALS):
        betas = np.zeros((TRIALS, *cortex.shape[::-1]), "<i2")
        betas[:, k, j, i] = stored[session * TRIALS : (session + 1) * TRIALS]
        with whole_file(release.session(session + 1)) as part, open_hdf5(part, "w") as file:
            file.create_dataset("betas", data=betas, chunks=(TRIALS, 1, 1, 1))
    ncsnr = np.full(cortex.shape, np.nan, np.float32)
    ncsnr[i, j, k] = _released_ncsnr(stored, shown)
    _write_volume(release.ncsnr, ncsnr)

    for volume, labels in cortex.volumes.items():
        _write_volume(release.roi(volume), labels.astype(np.float64))
        names = "".join(f"{label} {name}\n" for label, name in enumerate(("Unknown", *LABELS[volume])))
        write_text(release.label_names(volume), names)
    with whole_file(release.responses) as part:
        _responses(subject, experiment, shown).to_csv(part, sep="\t", index=False, na_rep="NaN")


def _release(root: Path, subject: str) -> Release:
    options = Options()
    return Release(root, subject, options.space, options.preparation)


def _released_ncsnr(stored: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Compute ncsnr as in the release, from trials that are z-scored within sessions.

    Only images with exactly three valid trials are used.
    """
    sessions = stored.reshape(-1, TRIALS, stored.shape[1]).astype(np.float64)
    with np.errstate(invalid="ignore"):
        z = (sessions - sessions.mean(axis=1, keepdims=True)) / sessions.std(axis=1, ddof=1, keepdims=True)
    z = z.reshape(stored.shape)
    _, image, counts = np.unique(shown, return_inverse=True, return_counts=True)
    thrice = counts[image] == 3
    ncsnr = ncsnr_from_trials(z[thrice], image[thrice], zscored=True)
    for voxel in np.flatnonzero(np.isnan(ncsnr)):
        hit = np.unique(image[np.isnan(z[:, voxel])])
        complete = thrice & ~np.isin(image, hit)
        ncsnr[voxel] = ncsnr_from_trials(z[complete, voxel, None], image[complete], zscored=True)[0]
    return ncsnr


def _write_volume(path: Path, volume: np.ndarray) -> None:
    """Write a volume (X, Y, Z) as in the release, with 1.8 mm, the world origin at the centre of the slab, and only an sform."""
    import nibabel as nib

    affine = np.diag([1.8, 1.8, 1.8, 1])
    affine[:3, 3] = -1.8 * (np.array(volume.shape) - 1) / 2
    image = nib.Nifti1Image(volume, affine)
    image.set_sform(affine, code=1)
    image.set_qform(None, code=0)
    with whole_file(path) as part:
        part.write_bytes(gzip.compress(image.to_bytes(), mtime=0))


def _stimulus_table(experiment: Experiment, shared: np.ndarray) -> pd.DataFrame:
    """Make the table nsd_stim_info_merged.csv. Of the columns of this table, only ``nsdId`` counts from 0. Its index column has
    no name."""
    n = experiment.n_images
    ids = np.arange(n)
    table = pd.DataFrame({"cocoId": 1_000_000 + ids, "cocoSplit": "train2017", "cropBox": "(0, 0, 0.1, 0.1)"})
    table = table.assign(loss=0.1, nsdId=ids, flagged=False, BOLD5000=False, shared1000=np.isin(ids, shared))
    seen, trial_numbers = np.zeros((8, n), int), np.zeros((8, 3, n), int)
    by_column = np.argsort(experiment.ordering, kind="stable").reshape(-1, 3)  # the three trials of each column, in order
    for row, images in enumerate(experiment.subject_images):
        seen[row, images] = 1
        trial_numbers[row][:, images] = by_column.T + 1
    subjects = {f"subject{row + 1}": seen[row] for row in range(8)}
    trials = {f"subject{row + 1}_rep{r}": trial_numbers[row, r] for row in range(8) for r in range(3)}
    return pd.concat([table, pd.DataFrame(subjects), pd.DataFrame(trials)], axis=1)


def _responses(subject: str, experiment: Experiment, shown: np.ndarray) -> pd.DataFrame:
    """Make the table responses.tsv of a subject who never pressed a button."""
    sessions = len(shown) // TRIALS
    trial_in_run = np.concatenate([np.arange(1, n + 1) for n in np.bincount(_RUN)[1:]])
    return pd.DataFrame(
        {
            "SUBJECT": int(subject.removeprefix("subj")),
            "SESSION": np.repeat(np.arange(1, sessions + 1), TRIALS),
            "RUN": np.tile(_RUN, sessions),
            "TRIAL": np.tile(trial_in_run, sessions),
            "73KID": shown + 1,
            "10KID": experiment.ordering[: len(shown)] + 1,
            "TIME": np.arange(len(shown)) / len(shown),
            "ISOLD": pd.Series(shown).duplicated().astype(int),
            **dict.fromkeys(("ISCORRECT", "RT", "CHANGEMIND", "MEMORYRECENT", "MEMORYFIRST"), np.nan),
            **dict.fromkeys(("ISOLDCURRENT", "ISCORRECTCURRENT", "TOTAL1", "TOTAL2", "BUTTON"), np.nan),
            "MISSINGDATA": 1,
        }
    )
