"""Make tables of the noise ceilings of units, and compare released statistics with statistics recomputed from single trials."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from cortexscale.errors import InputError
from cortexscale.recording import Recording


def noise_ceilings(recordings: Iterable[Recording]) -> pd.DataFrame:
    """Collect the noise ceilings of all examined units, with one row per dataset, subject, ROI and unit.

    The columns are ``benchmark_name``, ``subject``, ``roi``, ``unit``, ``kept``, ``nc_percent`` and ``time``. ``nc_percent`` is
    nan if the noise ceiling cannot be computed. ``time`` is in seconds, and nan outside EEG and MEG. Columns of names are
    categorical, because the same name can occur a million times.
    """
    parts = []
    for recording in recordings:
        screening = _screening(recording)
        units = screening[["unit", "kept", "nc_percent"]].assign(
            benchmark_name=recording.dataset, subject=recording.subject, time=screening.get("time", np.nan)
        )
        parts += [units[screening[roi].to_numpy(bool)].assign(roi=str(roi)) for roi in recording.rois]
    columns = ["benchmark_name", "subject", "roi", "unit", "kept", "nc_percent", "time"]
    table = pd.concat(parts, ignore_index=True)[columns]
    return table.astype(dict.fromkeys(["benchmark_name", "subject", "roi", "unit"], "category"))


def released_units(recordings: Iterable[Recording]) -> pd.DataFrame:
    """Collect released statistics and the same statistics from single trials, with one row per unit that has both.

    The columns are ``benchmark_name``, ``subject``, ``statistic`` (its name), ``unit``, ``released`` and ``recomputed``.
    """
    columns = ["benchmark_name", "subject", "statistic", "unit", "released", "recomputed"]
    parts = [pd.DataFrame(columns=columns).astype({"released": float, "recomputed": float})]
    for recording in recordings:
        screening = _screening(recording)
        if "released" in screening:
            both = screening[["unit", "released", "recomputed"]].dropna()
            names = {"benchmark_name": recording.dataset, "subject": recording.subject}
            parts.append(both.assign(**names, statistic=recording.notes["released_statistic"])[columns])
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def released_statistics(units: pd.DataFrame) -> pd.DataFrame:
    """Compare the released with the recomputed statistics in a table of :func:`released_units`.

    The result has one row per dataset, subject and statistic, with ``n_units``, ``median_difference``, ``largest_difference`` and
    ``pearsonr``. Differences are absolute, in the unit of the statistic. ``pearsonr`` is computed over units. It is nan if there
    is only one unit, or if all released or all recomputed values are equal.
    """
    rows = []
    for names, group in units.groupby(["benchmark_name", "subject", "statistic"], sort=False, observed=True):
        difference = (group["recomputed"] - group["released"]).abs()
        varies = len(group) > 1 and group["released"].nunique() > 1 and group["recomputed"].nunique() > 1
        r = np.corrcoef(group["released"], group["recomputed"])[0, 1] if varies else np.nan
        rows.append((*names, len(group), difference.median(), difference.max(), r))
    columns = ["benchmark_name", "subject", "statistic", "n_units", "median_difference", "largest_difference", "pearsonr"]
    return pd.DataFrame(rows, columns=columns)


def _screening(recording: Recording) -> pd.DataFrame:
    if recording.screening.empty:
        where, expected = f"recording {recording.dataset}/{recording.subject}", "`screening`, with a row for every examined unit"
        remedy = "add it in the reader of this dataset, or read the dataset again if the recording is older than its reader"
        raise InputError(where, "no table of the examined units", expected, remedy)
    return recording.screening
