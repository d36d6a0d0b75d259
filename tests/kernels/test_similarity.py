"""RSA and CKA against plain float64 references, their invariances, and what is not defined."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak_mb
from plain_similarity import plain_cka, plain_rsa
from scipy.stats import rankdata

from cortexscale.kernels.gram import gram
from cortexscale.kernels.ranks import unit_ranks_
from cortexscale.kernels.similarity import cka, feature_geometry, response_geometry, roi_geometries, rsa


def sides(n, p=40, units=25, seed=0):
    """Features and responses that share a few dimensions, with offsets of their own, as firing rates and layers have."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 6))
    X = latent @ rng.normal(size=(6, p)) + rng.normal(size=(n, p)) + rng.normal(0, 2, p)
    Y = latent @ rng.normal(size=(6, units)) + 2 * rng.normal(size=(n, units)) + rng.normal(0, 2, units)
    return X, Y


def of_features(X, dtype=torch.float64, slab=7):
    return feature_geometry(gram(np.split(X, range(slab, X.shape[1], slab), axis=1), dtype=dtype))


def of_responses(Y):
    return response_geometry(torch.as_tensor(Y))


@pytest.mark.parametrize("n", [4, 5, 63, 64, 65, 200])
def test_both_sides_match_the_references(n):
    X, Y = sides(n)
    layer, roi = of_features(X), of_responses(Y)
    assert rsa(layer, roi) == pytest.approx(plain_rsa(X, Y), abs=1e-11)
    assert cka(layer, roi) == pytest.approx(plain_cka(X, Y), abs=1e-11)
    assert rsa(layer, layer) == pytest.approx(1, abs=1e-11) and cka(roi, roi) == pytest.approx(1, abs=1e-11)


def test_float32_is_enough():
    X, Y = (side.astype(np.float32) for side in sides(150, p=300))
    layer, roi = of_features(X, torch.float32, slab=64), of_responses(Y)
    X, Y = X.astype(float), Y.astype(float)
    assert abs(rsa(layer, roi) - plain_rsa(X, Y)) < 1e-6 and abs(cka(layer, roi) - plain_cka(X, Y)) < 1e-6


@pytest.mark.parametrize("level", ["all features", "one feature"])
def test_an_offset_costs_float32_no_digits(level):
    X, Y = sides(120, p=300)
    X[:, slice(None) if level == "all features" else 5] += 300
    X = X.astype(np.float32)
    layer, roi = of_features(X, torch.float32, slab=64), of_responses(Y)
    assert rsa(layer, roi) == pytest.approx(plain_rsa(X.astype(float), Y), abs=1e-5)
    assert cka(layer, roi) == pytest.approx(plain_cka(X.astype(float), Y), abs=1e-6)


def test_many_pairs_are_counted_not_sorted(monkeypatch):
    X, Y = sides(600)
    expected = plain_rsa(X, Y), plain_cka(X, Y)
    monkeypatch.setattr(torch.Tensor, "sort", None)
    layer, roi = of_features(X), of_responses(Y)
    assert rsa(layer, roi) == pytest.approx(expected[0], abs=1e-6)
    assert cka(layer, roi) == pytest.approx(expected[1], abs=1e-6)


@pytest.mark.parametrize("rows", [slice(10, 45), np.array([40, 3, 3 + 8, 70, 21, 0])], ids=["slice", "index"])
def test_some_of_the_stimuli_of_a_gram_matrix(rows):
    X, Y = sides(80)
    X[rows] += 5  # so that the mean over all stimuli is not theirs
    subset = gram([X], dtype=torch.float64).subset(rows)
    layer, roi = feature_geometry(subset), of_responses(Y[rows])
    assert rsa(layer, roi) == pytest.approx(plain_rsa(X[rows], Y[rows]), abs=1e-11)
    assert cka(layer, roi) == pytest.approx(plain_cka(X[rows], Y[rows]), abs=1e-11)


def test_rois_that_share_units():
    X, Y = sides(60)
    members = np.zeros((3, Y.shape[1]), dtype=bool)
    members[0, :10] = members[1, 5:] = members[2] = True
    layer = of_features(X)
    for units, roi in zip(members, roi_geometries(torch.as_tensor(Y), members), strict=True):
        assert rsa(layer, roi) == pytest.approx(plain_rsa(X, Y[:, units]), abs=1e-11)
        assert cka(layer, roi) == pytest.approx(plain_cka(X, Y[:, units]), abs=1e-11)


def test_rsa_of_rsatoolbox():
    rsatoolbox = pytest.importorskip("rsatoolbox", reason="a check by another package, where it is installed")
    X, Y = sides(50)
    matrices = [rsatoolbox.rdm.calc_rdm(rsatoolbox.data.Dataset(side), method="correlation") for side in (X, Y)]
    theirs = rsatoolbox.rdm.compare(*matrices, method="spearman")[0, 0]
    assert rsa(of_features(X), of_responses(Y)) == pytest.approx(theirs, abs=1e-11)


@settings(max_examples=30)
@given(n=st.integers(4, 80), seed=st.integers(0, 2**31), factor=st.floats(1e-3, 1e3))
def test_invariances(n, seed, factor):
    X, Y = sides(n, p=9, units=8, seed=seed)
    rng = np.random.default_rng(seed)
    layer, roi = of_features(X), of_responses(Y)
    rotation = np.linalg.qr(rng.normal(size=(9, 9)))[0]
    rotated = of_features(factor * X @ rotation + rng.normal(size=9))
    assert cka(rotated, roi) == pytest.approx(cka(layer, roi), abs=1e-9)  # CKA sees neither axes, nor size, nor origin
    reordered = of_features((factor * X + rng.normal(size=(n, 1)))[:, rng.permutation(9)])
    assert rsa(reordered, roi) == pytest.approx(rsa(layer, roi), abs=1e-9)  # RSA sees no gain or offset of a stimulus
    order = rng.permutation(n)
    layer_, roi_ = of_features(X[order]), of_responses(Y[order])
    assert rsa(layer_, roi_) == pytest.approx(rsa(layer, roi), abs=1e-9)
    assert cka(layer_, roi_) == pytest.approx(cka(layer, roi), abs=1e-9)
    assert rsa(of_responses(X), roi) == pytest.approx(rsa(layer, roi), abs=1e-9)  # and both routes are one
    assert cka(of_responses(X), roi) == pytest.approx(cka(layer, roi), abs=1e-9)


def test_independent_sides_have_no_similarity_on_average():
    rng = np.random.default_rng(0)
    values = [cka(*(of_responses(rng.normal(size=(20, 200))) for _ in range(2))) for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20  # the biased estimate would be about 0.9
    assert min(values) < 0


def test_what_is_not_defined_is_nan():
    X, Y = sides(30)
    roi = of_responses(Y)

    def both(side, other=roi):
        return [np.isnan(rsa(side, other)), np.isnan(cka(side, other))]

    assert both(of_features(X)) == [False, False]
    three = of_responses(Y[:3])
    assert both(of_features(X[:3]), three) == [True, True]
    same = np.tile(X[0], (30, 1))
    assert both(of_features(same)) == both(of_responses(same)) == [True, True]
    rounded = torch.as_tensor(same) * (1 + 1e-16 * torch.arange(30)[:, None])
    assert both(response_geometry(rounded)) == [True, True], "a readout that predicts the mean"
    for units in (1, 2):
        assert both(of_responses(Y[:, :units])) == [True, False]
    blank = X.copy()
    blank[7] = 0
    assert both(of_features(blank)) == both(of_responses(blank)) == [True, False]
    assert both(of_features(blank.astype(np.float32), torch.float32)) == [True, False]
    constant = Y.copy()
    constant[:, 4] = 0.1
    assert cka(of_responses(constant), roi) == pytest.approx(plain_cka(constant, Y), abs=1e-11)
    assert rsa(of_responses(constant), roi) == pytest.approx(plain_rsa(constant, Y), abs=1e-11)


@pytest.mark.parametrize("alike", [10, 200])
def test_stimuli_alike_within_a_larger_set_are_nan(alike):
    X, _ = sides(alike + 20, p=300)
    X[10:-10] = X[0]
    subset = gram([X.astype(np.float32)]).subset(slice(10, alike + 10))
    layer = feature_geometry(subset)
    assert layer.products.isnan().all() and layer.distance_ranks.isnan().all()


def test_small_differences_within_a_larger_set_count():
    """Stimuli differ by 2 % of their distance from the mean. Products are 1e-4 of the diagonal, and float32 rounds by 1e-7."""
    X, Y = sides(80, p=300)
    rows = slice(10, 70)
    X[rows] = 5 + 0.01 * 5 * X[rows]
    X[:10] = X[70:] = -30
    layer, roi = feature_geometry(gram([X.astype(np.float32)]).subset(rows)), of_responses(Y[rows])
    assert cka(layer, roi) == pytest.approx(plain_cka(X[rows], Y[rows]), abs=0.01)


def test_bad_inputs_are_named():
    X, Y = sides(30)
    with pytest.raises(ValueError, match="435 pairs of stimuli with one of 406"):
        rsa(of_features(X), of_responses(Y[:29]))
    Y[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"response \[3, 2\] is nan"):
        of_responses(Y)


def plain_unit_ranks(values):
    ranks = rankdata(values) - (len(values) + 1) / 2
    return ranks / np.linalg.norm(ranks)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [2, 1000, 2**17 + 1])
def test_tied_ranks_are_exact(count, dtype):
    values = np.round(np.random.default_rng(0).normal(size=count) * 50).astype(dtype)
    found = unit_ranks_(torch.from_numpy(values.copy())).numpy()
    np.testing.assert_allclose(found, plain_unit_ranks(values), rtol=2e-7 if dtype is np.float32 else 1e-12, atol=1e-12)


@pytest.mark.parametrize("outlier, sorted_after_all", [(12, False), (1e5, True)])
def test_outliers_cannot_coarsen_the_ranks(monkeypatch, outlier, sorted_after_all):
    rng = np.random.default_rng(1)
    values = rng.normal(size=500_000).astype(np.float32)
    values[0] = outlier
    noisy = plain_unit_ranks(values + rng.normal(size=len(values)))
    sort, sorts = torch.Tensor.sort, []
    monkeypatch.setattr(torch.Tensor, "sort", lambda values: sorts.append(len(values)) or sort(values))
    found = unit_ranks_(torch.from_numpy(values.copy())).double().numpy()
    assert abs(found @ noisy - plain_unit_ranks(values) @ noisy) < 1e-7
    assert bool(sorts) is sorted_after_all


def test_equal_values_have_no_ranks():
    assert unit_ranks_(torch.ones(5)).isnan().all()


@pytest.mark.slow
def test_no_square_matrix_beside_the_result():
    """n = 4,000: a geometry holds 64 MB, a square float64 matrix would be 128."""
    make = "import torch, cortexscale.kernels.similarity as s; torch.set_num_threads(1); Y = torch.randn({n}, 20)"
    before = peak_mb(make.format(n=4000) + "; s.response_geometry(Y[:500])")
    after = peak_mb(make.format(n=4000) + "; s.response_geometry(Y)")
    assert after - before < 64 + 80  # the counts of the ranks, and strips
