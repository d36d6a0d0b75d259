"""Checks that the files of NSD's betas have the sessions and voxels that their names say."""

import numpy as np

from cortexscale.datasets.nsd.design import Rows
from cortexscale.datasets.nsd.files import Release
from cortexscale.errors import InputError

WITNESSES = 100
"""Number of voxels whose single trials are compared between sessions. They are the voxels with the highest ncsnr."""

_LEAST_SIGNAL = 0.1  # fraction of variance of the witnesses that is signal; with less, chance agreement could pass for signal
_LEAST_TRIALS = 50  # number of trials of a session whose images were also presented in other trials
_LEAST_AGREEMENT = 0.25  # fraction of the expected agreement; other images have 0, and even a poor session has more than half
_SYSTEMATIC = 0.02  # difference of ncsnr that is not sampling error; it is 0 for the betas that the release was computed from


def require_sessions_agree(release: Release, z: np.ndarray, rows: Rows, ncsnr: np.ndarray) -> None:
    """Raise an InputError if the trials of a session do not agree with other presentations of the same images.

    Each z-scored trial is multiplied by the mean of the other trials of its image. The mean of these products is the fraction of
    the variance that is signal. According to the released ncsnr, this fraction is ncsnr^2 / (ncsnr^2 + 1). For betas of another
    session or subject, the mean is about 0.

    Args:
        z: (sessions, trials, voxels) z-scored betas of voxels that vary in every session.
        ncsnr: (voxels,) as released.
    """
    n_sessions = len(z)
    expected = float(np.mean(ncsnr**2 / (ncsnr**2 + 1))) if len(ncsnr) else 0.0
    if expected < _LEAST_SIGNAL:
        return
    totals = np.zeros((len(rows.ids), z.shape[2]))
    np.add.at(totals, rows.of_trial.ravel(), z.reshape(-1, z.shape[2]))
    agreement = np.full(n_sessions, np.nan)
    for session, row in enumerate(rows.of_trial):
        again = rows.counts[row] > 1
        if again.sum() >= _LEAST_TRIALS:
            own, row = z[session, again], row[again]
            others = (totals[row] - own) / (rows.counts[row] - 1)[:, None]
            agreement[session] = np.mean(own * others)
    bad = np.flatnonzero(agreement < _LEAST_AGREEMENT * expected)
    if not len(bad):
        return
    first = release.session(int(bad[0]) + 1)
    by = f"by {np.mean(agreement[bad]):.2f} of the variance"
    found = f"betas of {_listed(bad)} that agree with other presentations of the same images {by}"
    remedy = f"the betas are of another session or subject, or files were exchanged; {release.remedy(first)}"
    raise InputError(first, found, f"about {expected:.2f}, as the released ncsnr of these voxels says", remedy)


def require_released_ncsnr(release: Release, released: np.ndarray, recomputed: np.ndarray, thrice: int) -> dict[str, float]:
    """Compare the ncsnr of the betas with the released ncsnr. Raise an InputError if the two were not computed from the same
    voxels and trials.

    Both arrays are (voxels,); voxels where ``recomputed`` is nan are ignored. ``thrice`` is the number of images that were
    presented three times. The noise variance v = 1 / (ncsnr^2 + 1) has a sampling error of v / sqrt(thrice), which allows for
    studies that read fewer sessions than the release was computed from.
    """
    valid = np.isfinite(recomputed)
    if not valid.any():
        return {"voxels": 0}
    difference = np.abs(recomputed - released)[valid]
    sampling = (released[valid] ** 2 + 1) / (2 * np.maximum(released[valid], 0.1) * np.sqrt(thrice))
    median, largest, allowed = float(np.median(difference)), float(difference.max()), float(_SYSTEMATIC + 2 * np.median(sampling))
    if median > allowed:
        found = f"ncsnr that differs from the one of the betas by {median:.3f} (median over {len(difference)} voxels)"
        remedy = "the betas are of other voxels, sessions or another subject than this volume; take all files from one release"
        raise InputError(release.ncsnr, found, f"at most {allowed:.3f}, the sampling error of {thrice} images", remedy)
    return {"voxels": len(difference), "median_difference": median, "largest_difference": largest}


def _listed(sessions: np.ndarray) -> str:
    numbers = ", ".join(str(session + 1) for session in sessions[:6]) + (" ..." if len(sessions) > 6 else "")
    return f"session {numbers}" if len(sessions) == 1 else f"sessions {numbers}"
