"""Responses that are missing or stuck: a few units are left out with their reason, and a damaged file is refused by rows."""

import numpy as np
import pytest

from cortexscale.datasets.screening import Damage, first_reason, reason_counts
from cortexscale.errors import InputError


def damage_of(values):
    damage = Damage(*values.shape)
    for first in range(0, values.shape[1], 16):
        block = slice(first, min(first + 16, values.shape[1]))
        damage.add(block, values[:, block])
    return damage


def refuse(values, **arguments):
    damage_of(values).require_little("file.h5", np.ones(values.shape[1], bool), "trial", "voxels", "fetch it", **arguments)


def good():
    return np.random.default_rng(0).normal(size=(60, 48))


@pytest.mark.parametrize(
    ("rows", "units", "value", "found"),
    [
        (7, slice(None), np.nan, "missing (not finite, or far too large) in trial 8 (up to 48 voxels)"),
        (7, slice(None, None, 2), np.inf, "24 of 48 voxels: missing (not finite, or far too large) in trial 8 (up to 24 voxels)"),
        (slice(20, 32), slice(0, 20), 0, "stuck (all equal) in trial 21 to 32 (up to 20 voxels)"),
        (slice(20, 32), slice(0, 20), 32767, "stuck (all equal) in trial 21 to 32"),
        (slice(3, 5), slice(None), 0, "stuck (all equal) in trial 4 to 5 (up to 48 voxels)"),
        (slice(None), slice(0, 9), 1, "trial 1 to 60 (up to 9 voxels)"),
    ],
)
def test_damaged_rows_are_named(rows, units, value, found):
    values = good()
    values[rows, units] = value
    with pytest.raises(InputError) as caught:
        refuse(values)
    assert caught.value.where == "file.h5" and found in caught.value.found


def test_rows_may_count_from_0():
    values = good()
    values[7] = np.nan
    with pytest.raises(InputError, match="trial 7 "):
        refuse(values, first=0)


def test_a_few_damaged_units_are_only_marked():
    values = good()
    values[3, 5], values[:, 9] = np.nan, 2
    refuse(values)
    assert np.flatnonzero(damage_of(values).units).tolist() == [5, 9]
    refuse(good())


def test_equal_integers_now_and_then_are_no_damage():
    values = np.random.default_rng(1).integers(-3, 4, (2000, 40))
    assert not damage_of(values).units.any()


def test_the_first_reason_counts():
    reasons = first_reason({"low": np.array([True, True, False]), "damaged": np.array([True, False, False])})
    assert reasons.tolist() == ["low", "low", ""] and reason_counts(reasons) == {"low": 2}
