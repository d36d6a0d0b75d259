"""Nested ridge against scikit-learn and brute force; the adaptive search against the full grid; blocks, memory, wide groups."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from memory import peak_mb
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import KFold, cross_validate

from cortexscale.kernels import nested_ridge as module
from cortexscale.kernels.bordered_inverse import BorderedInverse, HeldOutBlock
from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import gram
from cortexscale.kernels.nested_ridge import guessed_errors, nested_ridge, valleys
from cortexscale.kernels.responses import SKETCH, Responses

ALPHAS = np.logspace(-1, 5, 10)


def problem(n, p, units, *, n_test=25, offset=0.0, seed=0):
    """Features with a spread spectrum and units from nearly noiseless to nearly pure noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + n_test, p)) * np.arange(1, p + 1) ** -0.5
    noise = np.geomspace(0.1, 30, units)
    Y = X @ rng.normal(size=(p, units)) + noise * rng.normal(size=(n + n_test, units))
    return X + offset, Y + offset


def fit(X, Y, n, alphas, folds, members=None, dtype=torch.float64, **options):
    K = gram([X], dtype=dtype).K
    members = np.ones((1, Y.shape[1]), dtype=bool) if members is None else members
    return nested_ridge(K[:n, :n], Responses(Y[:n], members, Y[n:]), alphas, folds, cross=K[n:, :n], **options)


def per_unit(X, Y, n, alphas, folds, **options):
    """Error (A, k + 1, T), held-out r (A, k, T) and test r (A, T) of each unit at each alpha."""
    fits = [fit(X, Y, n, [alpha], folds, search="full", alpha_per="unit", **options) for alpha in alphas]
    return tuple(np.stack([getattr(one, name) for one in fits]) for name in ("loo_error", "heldout_r", "test_r"))


def columns_r(prediction, observed):
    return np.array([np.corrcoef(prediction[:, t], observed[:, t])[0, 1] for t in range(observed.shape[1])])


def members_of(*groups, units):
    members = np.zeros((len(groups), units), dtype=bool)
    for row, group in zip(members, groups, strict=True):
        row[group] = True
    return members


def assert_same(one, other, **tolerance):
    np.testing.assert_array_equal(one.chosen, other.chosen)
    for name in ("loo_error", "heldout_r", "test_r"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **tolerance)


@pytest.mark.parametrize("search", ["full", "adaptive"])
@pytest.mark.parametrize(("n", "p"), [(90, 40), (90, 90), (90, 400)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_equals_nested_scikit_learn(n, p, offset, search):
    X, Y = problem(n, p, units=12, offset=offset)
    members = members_of([0, 1, 2], range(3, 12), range(12), [11], units=12)
    ours = fit(X, Y, n, ALPHAS, k_folds(n, 5), members, search=search, predictions=True)
    for g, units in enumerate(members):
        pairs = ours.group == g
        np.testing.assert_array_equal(ours.unit[pairs], np.flatnonzero(units))
        nested = cross_validate(RidgeCV(ALPHAS), X[:n], Y[:n, units], cv=KFold(5), return_estimator=True, return_indices=True)
        for f, (model, test) in enumerate(zip(nested["estimator"], nested["indices"]["test"], strict=True)):
            theirs = model.predict(X[test]).reshape(len(test), -1)
            assert (ALPHAS[ours.chosen[f, pairs]] == model.alpha_).all()
            np.testing.assert_allclose(ours.loo_error[f, pairs], -model.best_score_, rtol=1e-9)
            np.testing.assert_allclose(ours.heldout_r[f, pairs], columns_r(theirs, Y[test][:, units]), atol=1e-9)
            assert (np.abs(ours.heldout[test][:, pairs] - theirs) < 1e-9 * Y[:, units].std(axis=0)).all()
        refit = RidgeCV(ALPHAS).fit(X[:n], Y[:n, units])
        theirs = refit.predict(X[n:]).reshape(len(X) - n, -1)
        assert (ALPHAS[ours.chosen[-1, pairs]] == refit.alpha_).all()
        np.testing.assert_allclose(ours.test_r[pairs], columns_r(theirs, Y[n:, units]), atol=1e-9)
        assert (np.abs(ours.test[:, pairs] - theirs) < 1e-9 * Y[:, units].std(axis=0)).all()


@pytest.mark.parametrize(("n", "p"), [(300, 1000), (300, 120)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_float32_stays_within_a_thousandth(n, p, offset):
    X, Y = problem(n, p, units=30, offset=offset)
    X = X.astype(np.float32)
    largest_eigenvalue = np.linalg.norm(X[:n] - X[:n].mean(axis=0), 2) ** 2
    alphas, folds = largest_eigenvalue * np.logspace(-4, 2, 7), k_folds(n, 5)  # the range that nested_ridge promises
    (double_error, *double), (single_error, *single) = (
        per_unit(X, Y, n, alphas, folds, dtype=dtype) for dtype in (torch.float64, torch.float32)
    )
    np.testing.assert_array_equal(single_error.argmin(axis=0), double_error.argmin(axis=0))
    np.testing.assert_array_equal(single_error.mean(axis=2).argmin(axis=0), double_error.mean(axis=2).argmin(axis=0))
    for theirs, ours in zip(double, single, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_float32_bears_an_alpha_far_below_every_eigenvalue_and_responses_in_tesla():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(125, 4000)).astype(np.float32)
    Y = X @ rng.normal(size=(4000, 3)) / 10 + rng.normal(size=(125, 3))
    double, single = (fit(X, Y, 100, [1e-3], k_folds(100, 5), dtype=dtype) for dtype in (torch.float64, torch.float32))
    assert_same(single, double, atol=1e-4, rtol=1e-4)
    tiny = fit(X, 1e-13 * Y, 100, [1e-3, 1e7], k_folds(100, 5), dtype=torch.float32)
    usual = fit(X, Y, 100, [1e-3, 1e7], k_folds(100, 5), dtype=torch.float32)
    np.testing.assert_array_equal(tiny.chosen, usual.chosen)
    np.testing.assert_allclose(tiny.heldout_r, usual.heldout_r, atol=1e-5)


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


@settings(max_examples=30)
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
def test_every_unit_at_every_alpha_equals_brute_force(n, p, units, k, alphas, constant, duplicates, offset, shuffle, seed):
    X, Y = problem(n, p, units, n_test=3, offset=offset, seed=seed)
    if constant:
        X[:, : (p + 1) // 2] = 1.7
    if duplicates:
        X[n // 2 :] = X[n - n // 2 - 3 : n - n // 2][np.arange(n + 3 - n // 2) % 3]
    folds = k_folds(n, k, seed=seed if shuffle else None)
    error, heldout_r, _ = per_unit(X, Y, n, alphas, folds)
    loo, heldout = brute_force(X, Y, n, alphas, folds)
    np.testing.assert_allclose(error, loo, rtol=1e-8)
    for f, fold in enumerate(folds):
        for a in range(len(alphas)):
            theirs = heldout[f][a]
            varies = theirs.std(axis=0) > 1e-6 * Y[fold].std(axis=0)  # a correlation of less is one of rounding
            if len(fold) > 1 and varies.any():
                expected = columns_r(theirs, Y[fold])
                np.testing.assert_allclose(heldout_r[a, f][varies], expected[varies], atol=1e-6)


def test_one_stimulus_per_fold_has_no_correlation():
    X, Y = problem(20, 50, 3)
    assert not fit(X, Y, 20, [2.0], k_folds(20, 20)).heldout_r.any()


@pytest.mark.parametrize("search", ["full", "adaptive"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_that_never_vary_predict_the_mean_and_score_zero(dtype, search):
    _, Y = problem(40, 3, 5)
    ours = fit(np.full((65, 30), 0.1, np.float32), Y, 40, [1e-3, 1.0, 1e6], k_folds(40, 4), dtype=dtype, search=search)
    assert not ours.heldout_r.any() and not ours.test_r.any()
    expected = Y[:40].var(axis=0).mean() * (40 / 39) ** 2
    np.testing.assert_allclose(ours.loo_error[-1], expected, rtol=1e-12 if dtype == torch.float64 else 1e-5)


def test_a_silent_unit_scores_zero_and_leaves_the_others_alone():
    X, Y = problem(50, 20, 4)
    with_silent = np.column_stack([Y, np.full(len(Y), 0.1)])
    alone = fit(X, Y, 50, ALPHAS, k_folds(50, 5))
    beside = fit(X, with_silent, 50, ALPHAS, k_folds(50, 5), members_of(range(4), [4], units=5))
    assert not beside.heldout_r[:, 4].any() and beside.test_r[4] == 0
    np.testing.assert_allclose(beside.heldout_r[:, :4], alone.heldout_r, atol=1e-12)
    np.testing.assert_allclose(beside.loo_error[:, :4], alone.loo_error, rtol=1e-12)


@pytest.mark.parametrize("search", ["full", "adaptive"])
def test_overlapping_groups_equal_separate_fits(search):
    X, Y = problem(60, 80, 10)
    groups = [[0, 1, 2, 3], [2, 3, 4], [8], [8], [*range(9)]]  # and unit 9 lies in none
    folds = k_folds(60, 5)
    together = fit(X, Y, 60, ALPHAS, folds, members_of(*groups, units=10), search=search)
    assert len(np.unique(together.chosen)) > 1 and 9 not in together.unit
    for g, group in enumerate(groups):
        alone, pairs = fit(X, Y[:, group], 60, ALPHAS, folds, search=search), together.group == g
        np.testing.assert_array_equal(alone.chosen, together.chosen[:, pairs])
        np.testing.assert_allclose(alone.heldout_r, together.heldout_r[:, pairs], atol=1e-11)
        np.testing.assert_allclose(alone.test_r, together.test_r[pairs], atol=1e-11)


def test_an_alpha_per_unit_is_scikit_learns():
    X, Y = problem(70, 30, 6)
    theirs = RidgeCV(ALPHAS, alpha_per_target=True).fit(X[:70], Y[:70])
    members = members_of(range(4), [3, 5], units=6)
    ours = fit(X, Y, 70, ALPHAS, [], members, search="full", alpha_per="unit")
    assert ours.heldout_r.shape == (0, 6) and ours.chosen.shape == (1, 6)
    np.testing.assert_array_equal(ALPHAS[ours.chosen[0]], theirs.alpha_[[0, 1, 2, 3, 3, 5]])
    expected = columns_r(theirs.predict(X[70:]), Y[70:])[[0, 1, 2, 3, 3, 5]]
    np.testing.assert_allclose(ours.test_r, expected, atol=1e-9)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    n=st.integers(20, 60),
    p=st.integers(3, 150),
    noise=st.floats(-2, 3),
    n_alphas=st.integers(1, 14),
    sizes=st.lists(st.sampled_from([1, 3, 40, 200]), min_size=1, max_size=5),
    seed=st.integers(0, 2**31),
)
def test_adaptive_search_equals_the_full_grid_unless_a_curve_has_two_valleys(n, p, noise, n_alphas, sizes, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 10, p)) * np.arange(1, p + 1) ** -0.7
    Y = X @ rng.normal(size=(p, sum(sizes))) + 10**noise * rng.normal(size=(n + 10, sum(sizes)))
    members = np.repeat(np.eye(len(sizes), dtype=bool), sizes, axis=1)
    alphas, folds = np.logspace(-3, 5, n_alphas), k_folds(n, 3)
    full, adaptive = (fit(X, Y, n, alphas, folds, members, search=search) for search in ("full", "adaptive"))
    curves = np.stack([fit(X, Y, n, [alpha], folds, members, search="full").loo_error for alpha in alphas])
    rises = np.diff(curves, axis=0) > 0
    one_valley = (np.diff(rises.astype(int), axis=0) >= 0).all(axis=0)
    np.testing.assert_array_equal(adaptive.chosen[one_valley], full.chosen[one_valley])
    np.testing.assert_allclose(adaptive.heldout_r[one_valley[:-1]], full.heldout_r[one_valley[:-1]], atol=1e-9)
    np.testing.assert_allclose(adaptive.test_r[one_valley[-1]], full.test_r[one_valley[-1]], atol=1e-9)
    assert one_valley.mean() > 0.5 or n_alphas > 3  # that is, the property says something


def one_valley_each(bottoms):
    """Guessed errors (alphas, groups) whose only minimum is at ``bottoms``."""
    return np.abs(np.arange(len(ALPHAS))[:, None] - bottoms).astype(float)


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_guess_costs_time_but_changes_nothing(monkeypatch, seed):
    X, Y = problem(60, 40, 12)
    members = np.repeat(np.eye(4, dtype=bool), 3, axis=1)
    full = fit(X, Y, 60, ALPHAS, k_folds(60, 5), members, search="full")
    monkeypatch.setattr(module, "guessed_errors", lambda *_: one_valley_each(np.random.default_rng(seed).integers(0, 10, 4)))
    assert_same(fit(X, Y, 60, ALPHAS, k_folds(60, 5), members), full, atol=1e-12)


def test_the_guess_is_near():
    X, Y = problem(240, 300, 160, seed=1)
    members = np.repeat(np.eye(4, dtype=bool), 40, axis=1)  # each more than a sketch
    assert SKETCH < 40
    K = gram([X], dtype=torch.float64).K[:240, :240]
    alphas = np.logspace(-2, 6, 12)
    chosen = fit(X, Y, 240, alphas, k_folds(240, 5), members, search="full").chosen[:, ::40]
    assert len(np.unique(chosen)) > 3
    assert np.abs(guessed_errors(K, Responses(Y[:240], members), alphas).argmin(axis=0) - chosen).max() <= 1


def with_massive_features(n, massive, size, groups, units, *, n_test=60, seed=0):
    """Responses of ``units`` per group, which depend on small features and, growing from group to group, on massive ones."""
    rng = np.random.default_rng(seed)
    small = rng.normal(size=(n + n_test, 2 * n)) * np.arange(1, 2 * n + 1) ** -0.5
    large = rng.normal(size=(n + n_test, massive))
    of_small, of_large = (part @ rng.normal(size=(part.shape[1], groups * units)) for part in (small, large))
    weight, noise = np.repeat(np.geomspace(0.01, 10, groups), units), np.tile(np.geomspace(0.3, 5, units), groups)
    Y = of_small / of_small.std(axis=0) + weight * of_large / of_large.std(axis=0)
    return np.column_stack([size * large, small]), Y + noise * rng.normal(size=Y.shape)


@pytest.mark.parametrize(("n", "massive", "size"), [(120, 6, 30), (120, 6, 300), (420, 12, 30)])
def test_massive_features_that_carry_signal_do_not_hide_the_minimum(n, massive, size):
    X, Y = with_massive_features(n, massive, size, groups=12, units=10)
    alphas, members, folds = np.logspace(1, 7, 10), np.repeat(np.eye(12, dtype=bool), 10, axis=1), k_folds(n, 5)
    full, adaptive = (fit(X, Y, n, alphas, folds, members, search=search) for search in ("full", "adaptive"))
    curves = np.stack([fit(X, Y, n, [alpha], folds, members, search="full").loo_error[-1] for alpha in alphas])
    assert valleys(curves).sum(axis=0).max() > 1, "the case has several valleys"
    assert_same(adaptive, full, atol=1e-9)


def test_a_valley_is_lower_than_its_neighbours_and_a_flat_one_is_its_first_alpha():
    curves = np.array([[3, 1, 2, 2, 1, 5], [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [2, 2, 2, 2, 2, 2], [4, 1, 1, 3, 0, 0]])
    found = [np.flatnonzero(row).tolist() for row in valleys(curves.T.astype(float)).T]
    assert found == [[1, 4], [0], [5], [0], [1, 4]]


def counted(monkeypatch, n):
    """Cholesky factorisations of all n stimuli from now on. No other decomposition is allowed."""
    calls, cholesky = [], torch.linalg.cholesky
    monkeypatch.setattr(torch.linalg, "cholesky", lambda A: calls.append(len(A)) or cholesky(A))
    for name in ("eigh", "svd", "inv", "solve", "lstsq"):
        monkeypatch.setattr(torch.linalg, name, None)
    return lambda: calls.count(n)


@pytest.mark.parametrize(("units", "block"), [(3, 512), (40, 8)])
def test_factorisations_depend_on_alphas_and_folds_only(monkeypatch, units, block):
    X, Y = problem(40, 60, units)
    n_calls = counted(monkeypatch, 40)
    fit(X, Y, 40, ALPHAS, k_folds(40, 5), search="full", alpha_per="unit", units_per_block=block)
    assert n_calls() == len(ALPHAS)


@pytest.mark.parametrize("seed", range(6))
def test_an_adaptive_search_factorises_fewer_than_twice_the_alphas(monkeypatch, seed):
    X, Y = problem(40, 60, 60, seed=seed)
    members = np.repeat(np.eye(30, dtype=bool), 2, axis=1)
    monkeypatch.setattr(module, "_FEW", 0)  # the guess factorises half of the stimuli
    if seed < 3:  # as badly as can be
        guess = one_valley_each(np.random.default_rng(seed).integers(0, 10, 30))
        monkeypatch.setattr(module, "guessed_errors", lambda *_: guess)
    n_calls = counted(monkeypatch, 40)
    fit(X, Y, 40, ALPHAS, k_folds(40, 5), members)
    assert 0 < n_calls() < 2 * len(ALPHAS)


@pytest.mark.parametrize(("n_alphas", "most"), [(10, 5), (99, 33)])
def test_one_group_is_evaluated_at_few_alphas(monkeypatch, n_alphas, most):
    X, Y = problem(240, 300, 40)
    monkeypatch.setattr(module, "_FEW", 0)
    n_calls = counted(monkeypatch, 240)
    fit(X, Y, 240, np.logspace(-3, 7, n_alphas), k_folds(240, 5))
    assert 3 <= n_calls() <= most


@pytest.mark.parametrize("block", [1, 3, 7, 100])
def test_blocks_of_units_do_not_change_the_results(block):
    X, Y = problem(40, 25, 7)
    members = members_of([0, 2, 6], range(7), units=7)
    whole, parts = (fit(X, Y, 40, ALPHAS, k_folds(40, 3), members, units_per_block=b) for b in (512, block))
    assert_same(parts, whole, rtol=1e-11, atol=1e-11)


def test_running_out_of_memory_halves_the_block_and_goes_on(monkeypatch, caplog):
    X, Y = problem(40, 25, 30)
    whole = fit(X, Y, 40, ALPHAS, k_folds(40, 3))
    errors = BorderedInverse.errors

    def with_room_for_five(inverse, C, residuals):
        if C.shape[1] > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return errors(inverse, C, residuals)

    monkeypatch.setattr(BorderedInverse, "errors", with_room_for_five)
    monkeypatch.setattr(module, "guessed_errors", lambda *_: one_valley_each(np.array([4])))
    parts = fit(X, Y, 40, ALPHAS, k_folds(40, 3), units_per_block=30)
    assert_same(parts, whole, rtol=1e-11, atol=1e-11)
    halves = [f"out of device memory: going on with {n} units at a time" for n in (15, 7, 3)]
    assert [record.message for record in caplog.records] == halves  # once each, for all alphas
    monkeypatch.setattr(BorderedInverse, "errors", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError))
    with pytest.raises(torch.OutOfMemoryError):
        fit(X, Y, 40, ALPHAS, k_folds(40, 3))


@pytest.mark.parametrize("search", ["full", "adaptive"])
def test_wide_groups_are_reduced_exactly_and_once(monkeypatch, search):
    X, Y = problem(30, 40, 100, n_test=20)
    members = members_of(range(80), range(60, 100), range(10, 95), units=100)
    responses = Responses(Y[:30], members, Y[30:])
    assert [responses.is_wide(group) for group in range(3)] == [True, False, True]
    monkeypatch.setattr(Responses, "is_wide", lambda *_: False)
    plain = fit(X, Y, 30, ALPHAS, k_folds(30, 5, seed=1), members, search=search)
    monkeypatch.undo()
    K = gram([X], dtype=torch.float64).K
    for _ in range(2):  # two layers
        reduced = nested_ridge(K[:30, :30], responses, ALPHAS, k_folds(30, 5, seed=1), cross=K[30:, :30], search=search)
        assert_same(reduced, plain, rtol=1e-9, atol=1e-9)
        monkeypatch.setattr(torch.linalg, "eigh", None)
    factor = responses.factor(0, "cpu")
    assert factor.shape == (30, 29)
    centred = Y[:30, :80] - Y[:30, :80].mean(axis=0)
    np.testing.assert_allclose(factor @ factor.T, centred @ centred.T, atol=1e-10 * np.square(centred).sum())


@pytest.mark.parametrize("alpha_per", ["group", "unit"])
def test_predictions_are_in_the_order_of_the_responses_and_in_blocks_the_same(alpha_per):
    X, Y = problem(60, 20, 9, offset=3.0)
    members = members_of(range(6), range(4, 9), units=9)
    options = {"search": "full", "alpha_per": alpha_per, "predictions": True}
    whole = fit(X, Y, 60, ALPHAS, k_folds(60, 4, seed=3), members, **options)
    blocks = fit(X, Y, 60, ALPHAS, k_folds(60, 4, seed=3), members, units_per_block=2, **options)
    for name in ("heldout", "test"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(whole, name), rtol=1e-9)
    for f, fold in enumerate(k_folds(60, 4, seed=3)):
        np.testing.assert_allclose(columns_r(whole.heldout[fold], Y[fold][:, whole.unit]), whole.heldout_r[f], atol=1e-9)
    no_folds = fit(X, Y, 60, ALPHAS, [], members, **options)
    assert no_folds.heldout is None and no_folds.test.shape == (25, 11)
    np.testing.assert_allclose(no_folds.test, whole.test, rtol=1e-6)
    silent = fit(X, Y, 60, ALPHAS, k_folds(60, 4), members)
    assert silent.heldout is None and silent.test is None


def test_a_factor_that_is_known_is_not_decomposed_again(monkeypatch):
    X, Y = problem(30, 40, 100, n_test=20)
    members = np.ones((1, 100), dtype=bool)
    K, first = gram([X], dtype=torch.float64).K[:30, :30], Responses(Y[:30], members)
    expected, factor = nested_ridge(K, first, ALPHAS, k_folds(30, 5)), first.factor(0, "cpu")
    monkeypatch.setattr(torch.linalg, "eigh", None)
    known = Responses(Y[:30], members, known_factor=lambda group: factor)
    np.testing.assert_array_equal(nested_ridge(K, known, ALPHAS, k_folds(30, 5)).loo_error, expected.loo_error)


def test_the_order_of_folds_and_of_rows_within_them_does_not_matter():
    X, Y = problem(40, 25, 3)
    rng = np.random.default_rng(1)
    folds = k_folds(40, 4, seed=3)
    shuffled = [rng.permutation(fold) for fold in folds[::-1]]
    a, b = fit(X, Y, 40, ALPHAS, folds), fit(X, Y, 40, ALPHAS, shuffled)
    np.testing.assert_array_equal(b.chosen[[3, 2, 1, 0, 4]], a.chosen)
    np.testing.assert_allclose(b.heldout_r[::-1], a.heldout_r, atol=1e-11)
    np.testing.assert_allclose(b.loo_error[[3, 2, 1, 0, 4]], a.loo_error, rtol=1e-11)
    np.testing.assert_allclose(b.test_r, a.test_r, atol=1e-11)


def test_spike_counts_are_converted_to_the_precision_of_the_kernel():
    X, Y = problem(40, 25, 3)
    counts = np.round(Y).astype(np.int64)
    assert_same(fit(X, counts, 40, ALPHAS, []), fit(X, counts.astype(np.float64), 40, ALPHAS, []), rtol=1e-12)


PEAK = """
import numpy as np, torch
from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.nested_ridge import nested_ridge
from cortexscale.kernels.responses import Responses
rng = np.random.default_rng(0)
K = torch.from_numpy(np.cov(rng.normal(size=(300, 500))))
Y = np.empty((300, {units}), dtype=np.float32)
rng.random(dtype=np.float32, out=Y)
members = np.zeros((20, {units}), dtype=bool)
members[np.arange({units}) % 20, np.arange({units})] = True
Responses.is_wide = lambda *_: False
nested_ridge(K, Responses(Y, members), [1.0, 10.0, 100.0], k_folds(300, 5))
"""


@pytest.mark.slow
def test_no_second_copy_of_the_responses_is_held():
    """A copy would add the responses once more in float32, twice in float64. Tables per unit and the allocator need a third."""
    small, large = (peak_mb(PEAK.format(units=units)) for units in (10_000, 30_000))
    responses = 20_000 * 300 * 4 / 2**20
    assert responses < large - small < 1.7 * responses


def test_problems_that_cannot_be_fitted_say_why():
    X, Y = problem(20, 1, 2, n_test=5)
    K, members = gram([1e3 * X[:20]], dtype=torch.float32).K, np.ones((1, 2), dtype=bool)
    Y = Y[:20].astype(np.float32)
    responses, folds = Responses(Y, members), k_folds(20, 4)
    for search in module.SEARCHES:
        with pytest.raises(ValueError, match=r"alpha = 1e-06 is lost in the rounding of a float32 Gram .* use float64"):
            nested_ridge(K, responses, [1e-6], folds, search=search)
    with pytest.raises(ValueError, match="alphas must be above 0; got 0"):
        nested_ridge(K, responses, [0, 1], folds)
    with pytest.raises(ValueError, match="alphas must ascend; got 10, 1"):
        nested_ridge(K, responses, [10, 1], folds)
    with pytest.raises(ValueError, match="an alpha per unit needs the full grid"):
        nested_ridge(K, responses, ALPHAS, folds, alpha_per="unit")
    with pytest.raises(ValueError, match="search 'golden' of an alpha per 'group'; use one of adaptive, full"):
        nested_ridge(K, responses, ALPHAS, folds, search="golden")
    with pytest.raises(ValueError, match=r"responses to 19 stimuli with a kernel of shape \(20, 20\)"):
        nested_ridge(K, Responses(Y[:19], members), ALPHAS, folds)
    with pytest.raises(ValueError, match=r"responses to 0 test and 20 training stimuli with a kernel of \(5, 20\)"):
        nested_ridge(K, responses, ALPHAS, folds, cross=K[:5])
    with pytest.raises(ValueError, match=r"folds of \[5, 5, 5\] stimuli do not hold each of 20"):
        nested_ridge(K, responses, ALPHAS, folds[:3])
    with pytest.raises(ValueError, match="a fold of 19 leaves 1 of 20 stimuli"):
        nested_ridge(K, responses, ALPHAS, [np.arange(19), np.array([19])])
    with pytest.raises(torch.linalg.LinAlgError, match="without the block"):  # what rounding can make of an inverse
        HeldOutBlock(torch.tensor([[1.0, 2.0], [2.0, 1.0]]), slice(0, 1))
    with pytest.raises(ValueError, match="error of group 0 in training set 0 is not finite at any alpha"):
        nested_ridge(K, Responses(1e30 * Y, members), [1.0, 2.0], folds)
    bad = K.clone()
    bad[0, 2] = np.inf
    with pytest.raises(ValueError, match=r"kernel value \[0, 2\] is inf"):
        nested_ridge(bad, responses, ALPHAS, folds)


def test_responses_that_cannot_be_used_say_why():
    Y, members = np.ones((5, 3), np.float32), np.ones((1, 3), dtype=bool)
    with pytest.raises(ValueError, match="group 1 has no units"):
        Responses(Y, members_of([0], [], units=3))
    with pytest.raises(ValueError, match="3 units in the training responses, 2 in the groups"):
        Responses(Y, members[:, :2])
    with pytest.raises(ValueError, match="3 units in the training responses, 2 in the test responses, 3 in the groups"):
        Responses(Y, members, Y[:, :2])
    bad = Y.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"^response \[3, 1\] is nan"):
        Responses(bad, members)
    with pytest.raises(ValueError, match=r"test response \[3, 1\] is nan"):
        Responses(Y, members, bad)
