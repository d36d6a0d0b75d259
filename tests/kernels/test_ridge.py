"""Ridge readouts and folds against scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold

from cortexscale.kernels.bordered_inverse import dual_coefficients
from cortexscale.kernels.folds import contiguous, k_folds
from cortexscale.kernels.gram import gram


def problem(n, p, units, *, offset=0.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) * np.arange(1, p + 1) ** -0.5
    Y = X @ rng.normal(size=(p, units)) + np.geomspace(0.1, 30, units) * rng.normal(size=(n, units))
    return X + offset, Y + offset


@pytest.mark.parametrize("p", [30, 300])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_predictions_are_scikit_learns_with_an_alpha_per_unit(p, offset):
    X, Y = problem(90, p, 6, offset=offset)
    alpha = np.geomspace(0.1, 1e4, 6)
    K, targets = gram([X], dtype=torch.float64).K, torch.from_numpy(Y)
    C, mean = dual_coefficients(K[:70, :70], targets[:70], alpha)
    ours = ((K[70:, :70] - K[:70, :70].mean(dim=0)) @ C + mean).numpy()
    theirs = Ridge(alpha).fit(X[:70], Y[:70]).predict(X[70:])
    assert (np.abs(ours - theirs) < 1e-9 * theirs.std(axis=0)).all()


def test_one_feature_has_a_closed_form():
    rng = np.random.default_rng(0)
    x, y = rng.normal(4, 2, 30), rng.normal(1, 3, 30)
    C, mean = dual_coefficients(torch.from_numpy(np.outer(x, x)), torch.from_numpy(y[:, None]), 7.0)
    slope = (x - x.mean()) @ (y - y.mean()) / ((x - x.mean()) @ (x - x.mean()) + 7)
    assert (x @ C.numpy()).item() == pytest.approx(slope, rel=1e-12)
    assert mean.item() == pytest.approx(y.mean(), rel=1e-14)
    assert abs(C.sum().item()) < 1e-14


def test_readouts_that_cannot_be_fitted_say_why():
    X, Y = problem(20, 1, 2)
    K, Y = gram([1e3 * X], dtype=torch.float32).K, torch.from_numpy(Y).float()
    with pytest.raises(ValueError, match="alpha = 1e-06 is lost"):
        dual_coefficients(K, Y, 1e-6)
    with pytest.raises(ValueError, match=r"responses of shape \(19, 2\) for 20 stimuli"):
        dual_coefficients(K, Y[:19], 1.0)
    bad = Y.clone()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"response \[3, 1\] is nan"):
        dual_coefficients(K, bad, 1.0)
    bad = K.clone()
    bad[0, 2] = np.inf
    with pytest.raises(ValueError, match=r"kernel value \[0, 2\] is inf"):
        dual_coefficients(bad, Y, 1.0)


@settings(max_examples=60)
@given(n=st.integers(2, 60), k=st.integers(2, 8), seed=st.none() | st.integers(0, 99), grouped=st.booleans())
def test_folds_partition_the_stimuli_evenly(n, k, seed, grouped):
    groups = np.random.default_rng(0).integers(0, 1 + n // 2, n) if grouped else None
    n_groups = n if groups is None else len(set(groups))
    if k > n_groups:
        with pytest.raises(ValueError, match=f"{k} folds of {n_groups}"):
            k_folds(n, k, seed=seed, groups=groups)
        return
    folds = k_folds(n, k, seed=seed, groups=groups)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(n))
    sizes = [len(fold) for fold in folds]
    largest_group = 1 if groups is None else np.unique(groups, return_counts=True)[1].max()
    assert max(sizes) - min(sizes) <= largest_group
    if groups is not None:
        assert all(len({f for f, fold in enumerate(folds) if group in groups[fold]}) == 1 for group in set(groups))
    if seed is None and groups is None:
        for ours, (_, theirs) in zip(folds, KFold(k).split(np.zeros(n)), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_folds_follow_their_seed_and_groups_are_balanced_as_in_scikit_learn():
    assert all(np.array_equal(a, b) for a, b in zip(k_folds(50, 5, seed=1), k_folds(50, 5, seed=1), strict=True))
    assert not np.array_equal(k_folds(50, 5, seed=1)[0], k_folds(50, 5, seed=2)[0])
    groups = np.repeat(np.arange(9), [12, 1, 5, 7, 3, 3, 8, 2, 9])
    theirs = [len(test) for _, test in GroupKFold(4).split(groups, groups=groups)]
    assert sorted(len(fold) for fold in k_folds(50, 4, groups=groups)) == sorted(theirs)
    labels = np.array(["dog", "cat"] * 4)
    assert [set(labels[fold]) for fold in k_folds(8, 2, groups=labels)] in ([{"cat"}, {"dog"}], [{"dog"}, {"cat"}])


def test_folds_become_slices_of_the_stimuli_in_their_order():
    folds = [np.array([1, 4]), np.array([0, 2, 5]), np.array([3])]
    order, blocks = contiguous(folds, 6)
    assert all(np.array_equal(order[block], fold) for block, fold in zip(blocks, folds, strict=True))
    assert blocks == [slice(0, 2), slice(2, 5), slice(5, 6)]
    assert contiguous([], 3)[0].tolist() == [0, 1, 2] and contiguous([], 3)[1] == []


@pytest.mark.parametrize("folds", [[[0, 1], [1, 2]], [[0], [1]], [[0, 1, 2, 3]]])
def test_folds_that_are_no_partition_are_refused(folds):
    with pytest.raises(ValueError, match=r"do not hold each of 3 stimuli exactly once"):
        contiguous([np.array(fold) for fold in folds], 3)


def test_every_fold_leaves_two_stimuli_to_train_on():
    assert len(contiguous([np.arange(3), np.array([3, 4])], 5)[1]) == 2
    with pytest.raises(ValueError, match="a fold of 4 leaves 1 of 5 stimuli to train on; leave-one-out needs two"):
        contiguous([np.array([0]), np.arange(1, 5)], 5)
