"""Responses and the random combinations of units from which penalties are guessed."""

import numpy as np
import pytest
import torch

from cortexscale.kernels import responses as module
from cortexscale.kernels.responses import SKETCH, Responses

LIKE = torch.zeros(0, dtype=torch.float64)
EVERY = slice(None)


def random_responses(n: int, units: int, seed: int = 0) -> np.ndarray:
    return 3 + np.random.default_rng(seed).standard_normal((n, units))


def centred(Y: np.ndarray) -> np.ndarray:
    return Y - Y.mean(axis=0)


def test_a_small_group_is_its_own_sketch():
    """The mean is over all stimuli, and the rows are then chosen."""
    Y = random_responses(9, SKETCH + 5)
    members = np.arange(SKETCH + 5) >= 5
    responses = Responses(Y, members[None])
    for rows in (EVERY, slice(None, None, 2), slice(3, 7)):
        np.testing.assert_allclose(responses.sketch(0, LIKE, rows), centred(Y)[rows, 5:], atol=1e-12)


@pytest.mark.parametrize("columns", [1024, 7])
@pytest.mark.parametrize("rows", [EVERY, slice(None, None, 2)])
def test_sketches_have_the_products_of_the_group_on_average(monkeypatch, columns, rows):
    """A combination sums units with random signs, so the mean product of two stimuli over combinations is that over units.

    The variance of a product is at most twice the product of both squared norms, divided by the number of combinations.
    """
    monkeypatch.setattr(module, "_COLUMNS", columns)
    Y, groups = random_responses(6, 60), 200
    members = np.tile(np.arange(60) < 50, (groups, 1))
    responses = Responses(Y, members)
    sketches = [responses.sketch(group, LIKE, rows).numpy() for group in range(groups)]
    assert {sketch.shape for sketch in sketches} == {(len(range(6)[rows]), SKETCH)}
    expected = centred(Y)[rows, :50] @ centred(Y)[rows, :50].T
    found = np.mean([sketch @ sketch.T for sketch in sketches], axis=0)
    norms = np.sqrt(np.diag(expected))
    error = np.abs(found - expected) / np.outer(norms, norms)
    assert error.max() < 5 * np.sqrt(2 / (groups * SKETCH)), "five standard errors"
    assert not np.allclose(sketches[0], sketches[1]), "every group has signs of its own"


def test_every_unit_of_a_group_is_in_its_sketch_and_no_other():
    Y = np.zeros((5, 80))
    Y[0, [0, 79]] = 1.0  # units at both ends, of which the group has the last
    members = np.arange(80) >= 20
    sketch = Responses(Y, members[None]).sketch(0, LIKE, EVERY)
    expected = centred(Y)[:, 79]
    np.testing.assert_allclose(np.abs(sketch), np.abs(expected)[:, None].repeat(SKETCH, 1) / SKETCH**0.5, atol=1e-12)
    signs = np.sign(sketch[0].numpy())
    assert 4 <= (signs > 0).sum() <= SKETCH - 4, "signs are even: fewer than 4 of 32 have a chance of 3e-6"


def test_the_factor_of_a_wide_group_has_its_products():
    Y = random_responses(8, 30)
    responses = Responses(Y, np.ones((1, 30), dtype=bool))
    F = responses.factor(0, torch.device("cpu")).numpy()
    np.testing.assert_allclose(F @ F.T, centred(Y) @ centred(Y).T, atol=1e-10)
    assert F.shape[1] == 7, "centring takes one dimension"
    assert responses.is_wide(0) and not Responses(Y, np.arange(30)[None] < 12).is_wide(0)
