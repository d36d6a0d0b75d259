"""Why units are left out of a recording, and how many damaged units a recording can have before it is refused."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cortexscale.errors import InputError

MOST_DAMAGED = 0.05
"""A recording is refused if more than this fraction of its units have damaged responses. Only units that pass all other
conditions count. Single dead electrodes and voxels at the edge of a slab are a much smaller fraction; a damaged trial, session or
file damages a larger one."""

_TOO_LARGE = 1e6  # limit, as a multiple of the median size; implausible responses in the releases reach only some hundred
_RUN = 10  # number of equal responses; measured responses are noisy, so even integers do not repeat that often
_LISTED = 3  # largest number of spans of rows that a message names


def first_reason(conditions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return, for each unit, the name of the first condition that leaves it out: (units,) text, empty for kept units. A
    condition is (units,) bool."""
    (n_units,) = {len(holds) for holds in conditions.values()}
    reasons = np.full(n_units, "", dtype=object)
    for reason, holds in conditions.items():
        reasons[np.asarray(holds, bool) & (reasons == "")] = reason
    return reasons


def reason_counts(reasons: np.ndarray) -> dict[str, int]:
    """Count the units that each reason leaves out."""
    found, counts = np.unique(reasons[reasons != ""].astype(str), return_counts=True)
    return {str(reason): int(count) for reason, count in zip(found, counts, strict=True)}


def impossible(values: np.ndarray) -> np.ndarray:
    """Whether each response is not finite, or more than a million times as large as the median response that is not 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(values)
        some = size[np.isfinite(size) & (size > 0)]
        return ~(size <= _TOO_LARGE * np.median(some)) if some.size else ~np.isfinite(values)


class Damage:
    """Responses of ``n_units`` to ``n_rows`` that are missing or stuck, collected over blocks of units.

    A response is missing if it is :func:`impossible`: not finite, or far too large. It is stuck if it belongs to ten or more
    consecutive equal responses of one unit, or to a row in which all units (at least ten) have equal responses. Examples are
    holes of zeros, saturated spans, and constant units.
    """

    def __init__(self, n_rows: int, n_units: int):
        self.units = np.zeros(n_units, bool)  # whether a unit has missing or stuck responses
        self._missing, self._stuck = np.zeros(n_rows, int), np.zeros(n_rows, int)  # number of such units in each row

    def add(self, units: slice, values: np.ndarray) -> None:
        """Look at the responses (rows, units) of a block."""
        missing, stuck = impossible(values), _stuck(values)
        if values.shape[1] >= _RUN:
            stuck |= (values == values[:, :1]).all(axis=1, keepdims=True)
        self.units[units] |= missing.any(axis=0) | stuck.any(axis=0)
        self._missing += missing.sum(axis=1)
        self._stuck += stuck.sum(axis=1)

    def require_little(self, path: Path, of: np.ndarray, row: str, unit: str, remedy: str, first: int = 1) -> None:
        """Raise an InputError if more than one unit, and more than :data:`MOST_DAMAGED`, of the units ``of`` are damaged.

        ``of`` is (units,) bool. The error names the rows. A row is called ``row``, and rows are numbered from ``first``. ``unit``
        is the plural of the word for a unit.
        """
        damaged, n = int((self.units & of).sum()), int(of.sum())
        if not damaged or (damaged <= max(MOST_DAMAGED * n, 1) and damaged < n):
            return
        kinds = (("missing (not finite, or far too large)", self._missing), ("stuck (all equal)", self._stuck))
        where = "; ".join(f"{kind} in {_spans(counts, row, unit, first)}" for kind, counts in kinds if counts.any())
        found = f"damaged responses in {damaged:,} of {n:,} {unit}: {where}"
        expected = f"at most {100 * MOST_DAMAGED:g} % of the {unit} with responses that are missing or stuck"
        raise InputError(path, found, expected, f"the file is damaged, or another than the released one. {remedy}")


def _stuck(values: np.ndarray) -> np.ndarray:
    """Whether each value (rows, units) is in a run of at least ten equal values. With fewer than ten rows, the run must have all
    rows."""
    length = min(_RUN, len(values))
    equal = values[1:] == values[:-1]
    if length < 2 or not equal.any():
        return np.zeros(values.shape, bool)
    starts = np.ones((len(values) - length + 1, *values.shape[1:]), bool)
    for step in range(length - 1):
        starts &= equal[step : step + len(starts)]
    stuck = np.zeros(values.shape, bool)
    for step in range(length):
        stuck[step : step + len(starts)] |= starts
    return stuck


def _spans(counts: np.ndarray, row: str, unit: str, first: int) -> str:
    """List the spans of rows with damaged responses, beginning with the span that has the most damaged responses."""
    edges = np.flatnonzero(np.diff(np.r_[0, counts > 0, 0]))
    spans = sorted(zip(edges[::2], edges[1::2], strict=True), key=lambda span: -counts[slice(*span)].sum())
    texts = []
    for start, stop in spans[:_LISTED]:
        numbers = str(start + first) if stop == start + 1 else f"{start + first} to {stop - 1 + first}"
        texts.append(f"{row} {numbers} (up to {counts[start:stop].max():,} {unit})")
    return ", ".join(texts) + (f" and {len(spans) - _LISTED} more spans" if len(spans) > _LISTED else "")
