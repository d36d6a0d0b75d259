"""Ridge from a Gram matrix against scikit-learn, brute force and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, KFold, cross_validate

from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import gram
from cortexscale.kernels.ridge import (
    _HeldOut,
    choose_alpha,
    cross_validated_predictions,
    dual_coefficients,
    predict,
    ridge_path,
)

ALPHAS = np.logspace(-1, 5, 10)


def problem(n, p, units, *, n_test=25, offset=0.0, seed=0):
    """Features with a spread spectrum and units from nearly noiseless to nearly pure noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + n_test, p)) * np.arange(1, p + 1) ** -0.5
    noise = np.geomspace(0.1, 30, units)
    Y = X @ rng.normal(size=(p, units)) + noise * rng.normal(size=(n + n_test, units))
    return X + offset, Y + offset


def fit(X, Y, n, alphas, folds, dtype=torch.float64, **options):
    K = gram([X], dtype=dtype).K
    Y = torch.from_numpy(Y).to(dtype)
    return ridge_path(K[:n, :n], Y[:n], alphas, folds, cross=K[n:, :n], Y_test=Y[n:], **options)


def columns_r(prediction, observed):
    return np.array([np.corrcoef(prediction[:, t], observed[:, t])[0, 1] for t in range(observed.shape[1])])


def members_of(*groups, units):
    members = np.zeros((len(groups), units), dtype=bool)
    for row, group in zip(members, groups, strict=True):
        row[group] = True
    return members


@pytest.mark.parametrize(("n", "p"), [(90, 40), (90, 90), (90, 400)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_equals_nested_scikit_learn(n, p, offset):
    X, Y = problem(n, p, units=12, offset=offset)
    members = members_of([0, 1, 2], range(3, 12), range(12), [11], units=12)
    folds = k_folds(n, 5)
    path = fit(X, Y, n, ALPHAS, folds)
    chosen = choose_alpha(path.loo_error, members)
    K, targets = gram([X], dtype=torch.float64).K, torch.from_numpy(Y)
    for g, units in enumerate(members):
        ours = cross_validated_predictions(K[:n, :n], targets[:n, units], folds, ALPHAS[chosen[:-1, [g] * units.sum()]]).numpy()
        nested = cross_validate(RidgeCV(ALPHAS), X[:n], Y[:n, units], cv=KFold(5), return_estimator=True, return_indices=True)
        for f, (model, test) in enumerate(zip(nested["estimator"], nested["indices"]["test"], strict=True)):
            theirs = model.predict(X[test]).reshape(len(test), -1)
            assert model.alpha_ == ALPHAS[chosen[f, g]]
            assert -model.best_score_ == pytest.approx(path.loo_error[chosen[f, g], f, units].mean(), rel=1e-9)
            assert (np.abs(ours[test] - theirs) < 1e-9 * theirs.std(axis=0)).all()
            np.testing.assert_allclose(path.heldout_r[chosen[f, g], f, units], columns_r(theirs, Y[test][:, units]), atol=1e-9)
        refit = RidgeCV(ALPHAS).fit(X[:n], Y[:n, units])
        theirs = refit.predict(X[n:]).reshape(len(X) - n, -1)
        C, mean = dual_coefficients(K[:n, :n], targets[:n, units], ALPHAS[chosen[-1, g]])
        ours_test = predict(K[n:, :n], K[:n, :n].mean(dim=0), C, mean).numpy()
        assert refit.alpha_ == ALPHAS[chosen[-1, g]]
        assert (np.abs(ours_test - theirs) < 1e-9 * theirs.std(axis=0)).all()
        np.testing.assert_allclose(path.test_r[chosen[-1, g], units], columns_r(theirs, Y[n:, units]), atol=1e-9)


@pytest.mark.parametrize(("n", "p"), [(300, 1000), (300, 120)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_float32_stays_within_a_thousandth_of_a_standard_deviation(n, p, offset):
    X, Y = problem(n, p, units=30, offset=offset)
    X = X.astype(np.float32)
    largest_eigenvalue = np.linalg.norm(X[:n] - X[:n].mean(axis=0), 2) ** 2
    alphas, folds = largest_eigenvalue * np.logspace(-4, 2, 7), k_folds(n, 5)  # the range that ridge_path promises
    double, single = (fit(X, Y, n, alphas, folds, dtype) for dtype in (torch.float64, torch.float32))
    everything, each = np.ones((1, 30), dtype=bool), np.eye(30, dtype=bool)
    for members in (everything, each):
        np.testing.assert_array_equal(choose_alpha(single.loo_error, members), choose_alpha(double.loo_error, members))
    for name in ("heldout_r", "test_r"):
        np.testing.assert_allclose(getattr(single, name), getattr(double, name), atol=1e-3)
    alpha = alphas[choose_alpha(double.loo_error, each)[:-1]]
    predictions = [
        cross_validated_predictions(gram([X], dtype=dtype).K[:n, :n], torch.from_numpy(Y[:n]).to(dtype), folds, alpha).double()
        for dtype in (torch.float64, torch.float32)
    ]
    assert ((predictions[1] - predictions[0]).abs() < 1e-3 * predictions[0].std(dim=0)).all()


def test_float32_bears_an_alpha_far_below_every_eigenvalue():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(125, 4000)).astype(np.float32)
    Y = X @ rng.normal(size=(4000, 3)) / 10 + rng.normal(size=(125, 3))
    double, single = (fit(X, Y, 100, [1e-3], k_folds(100, 5), dtype) for dtype in (torch.float64, torch.float32))
    np.testing.assert_allclose(single.heldout_r, double.heldout_r, atol=1e-4)
    np.testing.assert_allclose(single.loo_error, double.loo_error, rtol=1e-4)


def brute_force(X, Y, n, alphas, folds):
    """Leave-one-out errors by leaving one out, correlations from scikit-learn's predictions."""

    def predicted(train, test, alpha):
        return Ridge(alpha, solver="cholesky").fit(X[train], Y[train]).predict(X[test]).reshape(len(test), -1)

    rows = np.arange(n)
    loo = np.empty((len(alphas), len(folds) + 1, Y.shape[1]))
    heldout = [np.empty((len(alphas), len(fold), Y.shape[1])) for fold in folds]
    for a, alpha in enumerate(alphas):
        for f, fold in enumerate([*folds, np.array([], dtype=int)]):
            train = np.setdiff1d(rows, fold)
            residuals = [Y[[i]] - predicted(np.setdiff1d(train, i), [i], alpha) for i in train]
            loo[a, f] = np.square(np.concatenate(residuals)).mean(axis=0)
            if f < len(folds):
                heldout[f][a] = predicted(train, fold, alpha)
    return loo, heldout


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(6, 14),
    p=st.integers(1, 30),
    units=st.integers(1, 4),
    k=st.integers(2, 4),
    alphas=st.lists(st.sampled_from([1e-2, 1.0, 30.0, 1e4]), min_size=1, max_size=3, unique=True),
    constant=st.booleans(),
    duplicates=st.booleans(),
    offset=st.sampled_from([0.0, -50.0]),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**31),
)
@example(n=8, p=1, units=1, k=2, alphas=[1e-2], constant=True, duplicates=True, offset=0.0, shuffle=False, seed=0)
def test_every_table_entry_equals_brute_force(n, p, units, k, alphas, constant, duplicates, offset, shuffle, seed):
    X, Y = problem(n, p, units, n_test=3, offset=offset, seed=seed)
    if constant:
        X[:, : (p + 1) // 2] = 1.7
    if duplicates:
        X[n // 2 :] = X[n - n // 2 - 3 : n - n // 2][np.arange(n + 3 - n // 2) % 3]
    folds = k_folds(n, k, seed=seed if shuffle else None)
    path = fit(X, Y, n, alphas, folds)
    loo, heldout = brute_force(X, Y, n, alphas, folds)
    np.testing.assert_allclose(path.loo_error, loo, rtol=1e-8)
    for f, fold in enumerate(folds):
        for a in range(len(alphas)):
            theirs = heldout[f][a]
            varies = theirs.std(axis=0) > 1e-6 * Y[fold].std(axis=0)  # a correlation of less is one of rounding
            if len(fold) > 1 and varies.any():
                expected = columns_r(theirs, Y[fold])
                np.testing.assert_allclose(path.heldout_r[a, f][varies], expected[varies], atol=1e-6)


def test_one_stimulus_per_fold_is_leave_one_out():
    X, Y = problem(20, 50, 3)
    path = fit(X, Y, 20, [2.0], k_folds(20, 20))
    Xt, Yt = gram([X[:20]], dtype=torch.float64).K, torch.from_numpy(Y[:20])
    heldout = cross_validated_predictions(Xt, Yt, k_folds(20, 20), np.full((20, 3), 2.0)).numpy()
    np.testing.assert_allclose(path.loo_error[0, -1], np.square(Y[:20] - heldout).mean(axis=0), rtol=1e-10)
    assert not path.heldout_r.any()  # one stimulus has no correlation


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_that_never_vary_predict_the_mean_and_score_zero(dtype):
    _, Y = problem(40, 3, 5)
    path = fit(np.full((65, 30), 0.1, np.float32), Y, 40, [1e-3, 1.0, 1e6], k_folds(40, 4), dtype)
    assert not path.heldout_r.any() and not path.test_r.any()
    rtol = 1e-12 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(path.loo_error[:, -1], np.tile(Y[:40].var(axis=0) * (40 / 39) ** 2, (3, 1)), rtol=rtol)


def test_one_feature_has_a_closed_form():
    rng = np.random.default_rng(0)
    x, y = rng.normal(4, 2, 30), rng.normal(1, 3, 30)
    C, mean = dual_coefficients(torch.from_numpy(np.outer(x, x)), torch.from_numpy(y[:, None]), 7.0)
    slope = (x - x.mean()) @ (y - y.mean()) / ((x - x.mean()) @ (x - x.mean()) + 7)
    assert (x @ C.numpy()).item() == pytest.approx(slope, rel=1e-12)
    assert mean.item() == pytest.approx(y.mean(), rel=1e-14)
    assert abs(C.sum().item()) < 1e-14


def test_a_silent_unit_scores_zero_and_leaves_the_others_alone():
    X, Y = problem(50, 20, 4)
    with_silent = np.column_stack([Y, np.full(len(Y), 0.1)])
    alone, beside = fit(X, Y, 50, ALPHAS, k_folds(50, 5)), fit(X, with_silent, 50, ALPHAS, k_folds(50, 5))
    assert not beside.heldout_r[..., 4].any() and not beside.test_r[:, 4].any()
    np.testing.assert_allclose(beside.loo_error[..., :4], alone.loo_error, rtol=1e-12)
    np.testing.assert_allclose(beside.heldout_r[..., :4], alone.heldout_r, atol=1e-12)


def test_overlapping_groups_equal_separate_fits():
    X, Y = problem(60, 80, 9)
    groups = [[0, 1, 2, 3], [2, 3, 4], [8], list(range(9))]
    folds = k_folds(60, 5)
    together = fit(X, Y, 60, ALPHAS, folds)
    chosen = choose_alpha(together.loo_error, members_of(*groups, units=9))
    assert len(np.unique(chosen)) > 1
    for g, group in enumerate(groups):
        alone = fit(X, Y[:, group], 60, ALPHAS, folds)
        np.testing.assert_array_equal(choose_alpha(alone.loo_error, np.ones((1, len(group)), bool))[:, 0], chosen[:, g])
        np.testing.assert_allclose(alone.heldout_r, together.heldout_r[..., group], atol=1e-11)
        np.testing.assert_allclose(alone.test_r, together.test_r[:, group], atol=1e-11)


def test_an_alpha_per_unit_is_scikit_learns():
    X, Y = problem(70, 30, 6)
    path = fit(X, Y, 70, ALPHAS, [])
    theirs = RidgeCV(ALPHAS, alpha_per_target=True).fit(X[:70], Y[:70])
    chosen = choose_alpha(path.loo_error, np.eye(6, dtype=bool))
    assert path.heldout_r.shape == (10, 0, 6) and chosen.shape == (1, 6)
    np.testing.assert_array_equal(ALPHAS[chosen[0]], theirs.alpha_)
    K = gram([X], dtype=torch.float64).K
    C, mean = dual_coefficients(K[:70, :70], torch.from_numpy(Y[:70]), theirs.alpha_)
    ours = predict(K[70:, :70], K[:70, :70].mean(dim=0), C, mean).numpy()
    assert (np.abs(ours - theirs.predict(X[70:])) < 1e-9 * ours.std(axis=0)).all()


@pytest.mark.parametrize("target_block", [1, 3, 7, 100])
def test_blocks_of_units_do_not_change_the_tables(target_block):
    X, Y = problem(40, 25, 7)
    whole, parts = (fit(X, Y, 40, ALPHAS, k_folds(40, 3), target_block=b) for b in (512, target_block))
    for name in ("loo_error", "heldout_r", "test_r"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-11, atol=1e-11)


def test_the_order_of_folds_and_of_rows_within_them_does_not_matter():
    X, Y = problem(40, 25, 3)
    rng = np.random.default_rng(1)
    folds = k_folds(40, 4, seed=3)
    shuffled = [rng.permutation(fold) for fold in folds[::-1]]
    a, b = fit(X, Y, 40, ALPHAS, folds), fit(X, Y, 40, ALPHAS, shuffled)
    np.testing.assert_allclose(b.heldout_r[:, ::-1], a.heldout_r, atol=1e-11)
    np.testing.assert_allclose(b.loo_error[:, [3, 2, 1, 0, 4]], a.loo_error, rtol=1e-11)
    np.testing.assert_allclose(b.test_r, a.test_r, atol=1e-11)


def test_spike_counts_are_converted_to_the_precision_of_the_kernel():
    X, Y = problem(40, 25, 3)
    counts = np.round(Y).astype(np.int64)
    K = gram([X], dtype=torch.float64).K
    path = ridge_path(K[:40, :40], torch.from_numpy(counts[:40]), ALPHAS, [])
    np.testing.assert_allclose(path.loo_error, fit(X, counts.astype(np.float64), 40, ALPHAS, []).loo_error, rtol=1e-12)
    assert path.test_r is None


@pytest.mark.parametrize(("units", "target_block"), [(3, 512), (40, 8)])
def test_factorisations_depend_on_alphas_and_folds_only(monkeypatch, units, target_block):
    calls = []
    cholesky = torch.linalg.cholesky
    monkeypatch.setattr(
        torch.linalg, "cholesky", lambda *args, **kwargs: calls.append(args[0].shape) or cholesky(*args, **kwargs)
    )
    monkeypatch.setattr(torch.linalg, "eigh", None)
    X, Y = problem(40, 60, units)
    path = fit(X, Y, 40, ALPHAS, k_folds(40, 5), target_block=target_block)
    choose_alpha(path.loo_error, np.eye(units, dtype=bool))
    assert len(calls) == len(ALPHAS) * (1 + 5)
    assert calls.count((40, 40)) == len(ALPHAS)


def test_ties_take_the_smallest_index_and_the_edges_show():
    errors = np.array([[[3.0, 1.0, 2.0]], [[2.0, 1.0, 3.0]], [[2.0, 1.0, 1.0]]])  # (A = 3, 1, T = 3)
    np.testing.assert_array_equal(choose_alpha(errors, np.eye(3, dtype=bool)), [[1, 0, 2]])
    np.testing.assert_array_equal(choose_alpha(errors, np.ones((1, 3), dtype=bool)), [[2]])
    with pytest.raises(ValueError, match="group 1 has no units"):
        choose_alpha(errors, np.array([[True, False, False], [False] * 3]))


@settings(max_examples=60, deadline=None)
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


def test_problems_that_cannot_be_fitted_say_why():
    X, Y = problem(20, 1, 2, n_test=5)
    K, Y = gram([1e3 * X[:20]], dtype=torch.float32).K, torch.from_numpy(Y[:20]).float()
    folds = k_folds(20, 4)
    with pytest.raises(ValueError, match=r"alpha = 1e-06 is lost in the rounding of a float32 Gram matrix .* use float64"):
        ridge_path(K, Y, [1e-6], folds)
    with pytest.raises(ValueError, match="alpha = 1e-06 is lost"):
        dual_coefficients(K, Y, 1e-6)
    with pytest.raises(ValueError, match="alphas must be above 0; got 0"):
        ridge_path(K, Y, [1, 0], folds)
    with pytest.raises(ValueError, match=r"responses of shape \(19, 2\) for 20 stimuli"):
        ridge_path(K, Y[:19], ALPHAS, folds)
    with pytest.raises(ValueError, match=r"folds of \[5, 5, 5\] stimuli do not hold each of 20"):
        ridge_path(K, Y, ALPHAS, folds[:3])
    with pytest.raises(ValueError, match="a fold of 19 leaves 1 of 20 stimuli"):
        ridge_path(K, Y, ALPHAS, [np.arange(19), np.array([19])])
    with pytest.raises(torch.linalg.LinAlgError, match="without the block"):  # what rounding can make of an inverse
        _HeldOut.from_inverse(torch.tensor([[1.0, 2.0], [2.0, 1.0]]), slice(0, 1), torch.float32)
    bad = Y.clone()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"response \[3, 1\] is nan"):
        ridge_path(K, bad, ALPHAS, folds)
    bad = K.clone()
    bad[0, 2] = np.inf
    with pytest.raises(ValueError, match=r"kernel value \[0, 2\] is inf"):
        ridge_path(bad, Y, ALPHAS, folds)
