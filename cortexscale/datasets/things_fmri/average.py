"""Z-scored averages of the responses of THINGS-fMRI. There is one average per image and voxel."""

from collections.abc import Iterator

import h5py
import numpy as np
import pandas as pd

from cortexscale.datasets.screening import Damage
from cortexscale.datasets.things_fmri.tables import Trials
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent

_BLOCK_VALUES = 2**19  # number of float64 responses in one block of voxels
BLOCK_BYTES = 6 * 8 * _BLOCK_VALUES  # size, in bytes, of a block and of everything that is computed from it


def moments_and_ceiling(responses: h5py.Dataset, rows: np.ndarray, trials: Trials) -> tuple[pd.DataFrame, Damage]:
    """Return the mean and sd of the single trials of each split, and ``recomputed``, the noise ceiling of the test images.

    The noise ceiling is computed as in the authors' code (``thingsmri/anc.py``). A voxel is z-scored over the test images of each
    repetition. The noise variance is the variance over repetitions, averaged over images. The signal variance is 1 minus the
    noise variance. The table has one row per voxel of ``rows``, which are ascending indices into ``responses`` (voxels, trials).
    A row is nan if a response is missing or stuck (see the returned Damage), if all training responses are equal, or if the
    responses to all test images are equal in one repetition.
    """
    columns = ["train_mean", "train_sd", "test_mean", "test_sd", "recomputed"]
    table = np.empty((len(rows), len(columns)))
    damage = Damage(responses.shape[1], len(rows))
    for block, values in _blocks(responses, rows):
        train, test = values[:, trials.train], values[:, trials.test]
        splits = (train.mean(axis=1), train.std(axis=1), test.mean(axis=(1, 2)), test.std(axis=(1, 2)))
        damage.add(block, values.T)
        bad = damage.units[block] | (np.ptp(train, axis=1) == 0) | (np.ptp(test, axis=2) == 0).any(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # bad voxels are divided by 0; they are set to nan below
            z = (test - test.mean(axis=2, keepdims=True)) / test.std(axis=2, keepdims=True)
        z[bad] = 0
        ncsnr = ncsnr_from_repetitions(np.moveaxis(z, 0, 2), zscored=True)
        table[block] = np.column_stack([*splits, noise_ceiling_percent(ncsnr, test.shape[1])])
        table[block][bad] = np.nan
    return pd.DataFrame(table, index=rows, columns=columns), damage


def zscored_averages(responses: h5py.Dataset, rows: np.ndarray, trials: Trials, scope: str) -> tuple[np.ndarray, np.ndarray]:
    """Return z-scored float32 training responses (n, rows), and test responses (m, rows) averaged over repetitions.

    ``scope`` is ``split``, ``train`` or ``session``. It decides over which trials of ``responses`` (voxels, trials) mean and sd
    are taken.
    """
    train = np.empty((len(trials.train_ids), len(rows)), np.float32)
    test = np.empty((len(trials.test_ids), len(rows)), np.float32)
    every = np.arange(len(trials.session))
    # Each pair has the trials to standardise, and the trials from which the mean and sd are computed.
    scopes = {
        "split": [(trials.train, trials.train), (trials.test.ravel(), trials.test.ravel())],
        "train": [(every, trials.train)],
        "session": [(own, own) for own in (np.flatnonzero(trials.session == n) for n in np.unique(trials.session))],
    }[scope]
    for block, values in _blocks(responses, rows):
        z = np.empty_like(values)
        for of, by in scopes:
            reference = values[:, by]
            z[:, of] = (values[:, of] - reference.mean(axis=1, keepdims=True)) / reference.std(axis=1, keepdims=True)
        train[:, block] = z[:, trials.train].T
        test[:, block] = z[:, trials.test].mean(axis=1).T
    return train, test


def _blocks(responses: h5py.Dataset, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield slices of ``rows``, each with its float64 responses (rows, trials)."""
    width = max(1, _BLOCK_VALUES // responses.shape[1])
    for first in range(0, len(rows), width):
        block = slice(first, min(first + width, len(rows)))
        yield block, responses[rows[block]].astype(np.float64, copy=False)
