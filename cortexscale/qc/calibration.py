"""Calibration of a recording: what a perfect model would score on it, given how its units were selected."""

from dataclasses import replace

import numpy as np
import pandas as pd

from cortexscale.kernels.perfect_model import perfect_scores
from cortexscale.recording import Recording


def calibrated(recording: Recording) -> Recording:
    """Add the table ``perfect`` and notes to a recording, from the noise ceilings of all units that its reader examined.

    The note ``perfect_pearsonr_nc`` has the score that a perfect model would get in each ROI with the paper's method. For each
    kept unit, the expected Pearson r of the perfect model is divided by the square root of the unit's noise ceiling. The score is
    the mean over units. If a reader estimates noise ceilings from more stimuli than the test stimuli, the note
    ``ceiling_stimuli`` has the number of all these stimuli. A recording that cannot be calibrated gets the note ``uncalibrated``
    with the reason.
    """
    if reason := _reason(recording):
        return replace(recording, notes=recording.notes | {"uncalibrated": reason})
    screening, kept = recording.screening, recording.screening["kept"].to_numpy(bool)
    n, repetitions = len(recording.test.stimulus_ids), float(1 / np.mean(1 / recording.test.repetitions))
    perfect, scores = pd.DataFrame(index=recording.units.index), {}
    for roi in map(str, recording.rois):
        inside = screening[roi].to_numpy(bool)
        r_squared, r = np.full((2, len(screening)), np.nan)
        ceilings = screening.loc[inside, "nc_percent"].to_numpy(float)
        r_squared[inside], r[inside] = perfect_scores(ceilings, n, repetitions, recording.notes.get("ceiling_stimuli"))
        perfect[roi] = r_squared[kept]
        if recording.rois[roi].any():
            scores[roi] = float(np.nanmean(r[kept] / np.sqrt(recording.units["nc_percent"].to_numpy() / 100)))
    return replace(recording, perfect=perfect, notes=recording.notes | {"perfect_pearsonr_nc": scores})


def _reason(recording: Recording) -> str:
    if recording.screening.empty:
        return "the reader has no table of the examined units"
    if len(recording.test.stimulus_ids) < 4:
        return "there are fewer than four test stimuli"
    return "" if recording.test.repetitions.max() > 1 else "there are no single trials: test stimuli have one repetition"
