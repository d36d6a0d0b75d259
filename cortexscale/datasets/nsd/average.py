"""Averages of NSD's single-trial betas. There is one response per image and voxel."""

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np

from cortexscale.datasets.nsd.agreement import WITNESSES
from cortexscale.datasets.nsd.design import Rows
from cortexscale.datasets.nsd.files import Release, open_betas
from cortexscale.datasets.screening import Damage

_VOXELS_PER_READ = 1024  # number of voxels of one session in memory; 750 trials of them are 6 MB in float64
_VOXELS_OF_ALL_IMAGES = 32  # number of voxels whose averages are copied at a time; 10,000 images of them are 4 MB


@dataclass(frozen=True)
class Averages:
    """Responses of the voxels that were read. If a voxel is constant in a session, its trials of that session are left out."""

    responses: np.ndarray  # (images, voxels) float32, z-scored betas averaged over the trials of an image
    invalid: np.ndarray  # (sessions, voxels) bool, whether a voxel is constant in a session
    stuck: np.ndarray  # (voxels,) bool, whether a voxel has runs of equal betas in a session in which it is not constant
    witnesses: np.ndarray  # voxels with the highest ncsnr that vary in every session, by index
    z: np.ndarray  # (sessions, trials, witnesses) float32, z-scored betas of the witnesses
    counts: dict[int, np.ndarray]  # for each voxel with an invalid session, (images,) number of averaged trials, which may be 0
    ncsnr: np.ndarray  # (voxels,) as in the release, from images presented three times; nan if a session is invalid


def average_over_repetitions(
    release: Release, voxels: np.ndarray, ncsnr: np.ndarray, rows: Rows, grid: tuple[int, ...]
) -> Averages:
    """Z-score ``voxels`` (n, 3), given as i, j, k, within each session, and average over the trials of each row.

    As the NSD team does, the z-score uses all trials of the session, with n - 1 in the standard deviation. An InputError is
    raised if more than a few voxels are constant or stuck in a session. ``ncsnr`` is the released ncsnr.
    """
    n_sessions, trials = rows.of_trial.shape
    witnesses = np.sort(np.argsort(-ncsnr, kind="stable")[:WITNESSES])
    every, stuck = np.ones(len(voxels), bool), np.zeros(len(voxels), bool)
    seen = np.empty((n_sessions, trials, len(witnesses)), np.float32)
    sums = np.zeros((len(rows.ids), len(voxels)), np.float32)
    invalid = np.zeros((n_sessions, len(voxels)), bool)
    thrice = rows.counts == 3
    squares = np.zeros(len(voxels))  # sums over trials of images presented three times
    for session, row_of_trial in enumerate(rows.of_trial):
        by_row = np.argsort(row_of_trial, kind="stable")
        present, starts = np.unique(row_of_trial[by_row], return_index=True)
        damage = Damage(trials, len(voxels))
        with open_betas(release, session + 1, trials, grid) as betas:
            for block in _slices(len(voxels), _VOXELS_PER_READ):
                stored = _read_voxels(betas, voxels[block])
                damage.add(block, stored)
                z, invalid[session, block] = _zscore(stored)
                inside = (witnesses >= block.start) & (witnesses < block.stop)
                seen[session][:, inside] = z[:, witnesses[inside] - block.start]
                sums[present, block] += np.add.reduceat(z[by_row], starts)
                squares[block] += np.square(z[thrice[row_of_trial]]).sum(axis=0)
        path = release.session(session + 1)
        damage.require_little(path, every, "trial", "voxels", release.remedy(path))
        stuck |= damage.units & ~invalid[session]

    recomputed = np.full(len(voxels), np.nan)
    for block in _slices(len(voxels), _VOXELS_OF_ALL_IMAGES) if thrice.any() else ():
        within = squares[block] - np.square(sums[thrice, block], dtype=np.float64).sum(axis=0) / 3
        noise = within / (2 * thrice.sum())
        with np.errstate(divide="ignore", invalid="ignore"):  # only invalid voxels are divided by 0, and become nan
            recomputed[block] = np.sqrt(np.maximum(1 - noise, 0) / noise)
    recomputed[invalid.any(axis=0) | stuck] = np.nan

    counts = {int(voxel): rows.counts_in(~invalid[:, voxel]) for voxel in np.flatnonzero(invalid.any(axis=0))}
    for voxel, own in counts.items():
        sums[:, voxel] *= rows.counts / np.maximum(own, 1)
    sums /= rows.counts[:, None]
    valid = ~(invalid.any(axis=0) | stuck)[witnesses]
    return Averages(sums, invalid, stuck, witnesses[valid], seen[:, :, valid], counts, recomputed)


def _slices(n: int, width: int) -> Iterator[slice]:
    return (slice(first, min(first + width, n)) for first in range(0, n, width))


def _read_voxels(betas: h5py.Dataset, voxels: np.ndarray) -> np.ndarray:
    """Read int16 betas (trials, voxels).

    Each voxel is a chunk. Reading slabs and masking them would take 40 times as long.
    """
    values = np.empty((len(voxels), len(betas)), np.int16)
    for row, (i, j, k) in zip(values, voxels, strict=True):
        row[:] = betas[:, k, j, i]
    return values.T


def _zscore(betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 z-scored columns, and which columns are constant. Constant columns become 0."""
    deviation = betas - betas.mean(axis=0)
    sd = np.sqrt(np.square(deviation).sum(axis=0) / (len(betas) - 1))
    constant = sd == 0  # exact, because the mean of equal integers is that integer
    return deviation / np.where(constant, 1, sd), constant
