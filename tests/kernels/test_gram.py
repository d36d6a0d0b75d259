"""Gram matrices from slabs against plain products, and correlation by columns."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import peak_mb

from cortexscale.kernels import gram as module
from cortexscale.kernels.correlation import noise_normalised, pearson
from cortexscale.kernels.gram import centred, gram


def plain(X):
    Xc = X.astype(np.float64) - X.astype(np.float64).mean(axis=0)
    return Xc @ Xc.T


@settings(max_examples=40)
@given(
    n=st.integers(1, 30),
    cuts=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 2**31),
)
def test_any_slabs_of_any_precision_give_the_plain_product(n, cuts, dtype, seed):
    X = np.random.default_rng(seed).normal(2, 1, (n, sum(cuts))).astype(dtype)
    slabs = np.split(X, np.cumsum(cuts)[:-1], axis=1)
    result = gram(slabs, dtype=torch.float64)
    assert result.width == sum(cuts)
    np.testing.assert_allclose(result.K.numpy(), plain(X), rtol=0, atol=1e-12 * sum(cuts))


def test_several_blocks_of_rows_are_exactly_symmetric():
    X = np.random.default_rng(0).normal(size=(700, 40)).astype(np.float32)
    K = gram([X[:, :25], X[:, 25:]]).K
    assert K.dtype == torch.float32 and torch.equal(K, K.T)
    assert np.abs(K.numpy() - plain(X)).max() < 5e-6 * np.trace(plain(X)) / 700


def test_wide_and_mixed_slabs_are_worked_through_in_parts(monkeypatch):
    monkeypatch.setattr(module, "_COLUMNS", 7)
    X = np.random.default_rng(7).normal(2, 1, (40, 50))
    slabs = [X[:, :30].astype(np.float16), X[:, 30:33], X[:, 33:].astype(np.float32)]
    result = gram(slabs, dtype=torch.float64)
    assert result.width == 50
    np.testing.assert_allclose(result.K, plain(np.concatenate(slabs, axis=1)), rtol=0, atol=1e-12 * 50)
    bad = X.copy()
    bad[11, 23] = np.nan
    with pytest.raises(ValueError, match="feature 73 of stimulus 11 is nan"):
        gram([X, bad])


@pytest.mark.slow
def test_memory_is_the_kernel_and_a_work_space():
    code = """
import numpy as np
from cortexscale.kernels.gram import gram
gram(np.ones(({n}, 1024), np.float16) for _ in range({slabs}))
"""
    few, many, large = (peak_mb(code.format(n=n, slabs=slabs)) for n, slabs in ((1000, 2), (1000, 40), (3000, 2)))
    assert many - few < 8  # of 78 MB of slabs
    expected = (8_000_000 + 2000 * module._COLUMNS) * 4 + 2000 * 1024 * 2  # K, work space and one slab, in bytes
    assert 0.8 * expected < (large - few) * 2**20 < 1.3 * expected


def test_an_offset_costs_float32_no_digits():
    rng = np.random.default_rng(1)
    X = np.round(rng.normal(size=(50, 300)) * 64) / 64  # exact in float32 after the offset, too
    K = gram([(X + 2**15).astype(np.float32)]).K.numpy()
    assert np.abs(K - plain(X)).max() < 1e-6 * np.trace(plain(X)) / 50


def test_constant_features_add_an_exact_zero():
    K = gram([np.full((20, 50), 0.1, np.float32), np.full((20, 3), -7.7, np.float32)]).K
    assert torch.equal(K, torch.zeros(20, 20))


def test_sub_matrices_and_their_centring():
    X = np.random.default_rng(2).normal(3, 1, (30, 12))
    result = gram([X], dtype=torch.float64)
    rows, others = np.array([5, 2, 17, 9]), np.array([1, 0])
    np.testing.assert_allclose(centred(result.between(rows, rows)).numpy(), plain(X[rows]), atol=1e-12)
    np.testing.assert_array_equal(result.between(rows, others).numpy(), result.K.numpy()[np.ix_(rows, others)])


def test_slabs_that_cannot_be_used_are_named():
    X = np.ones((6, 4), np.float32)
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match="feature 5 of stimulus 3 is nan"):
        gram([X, bad])
    bad[3, 1], bad[0, 2] = 1, -np.inf
    with pytest.raises(ValueError, match="feature 2 of stimulus 0 is -inf"):
        gram([bad])
    bad[0] = 1, 1, -np.inf, np.inf
    with pytest.raises(ValueError, match="feature 2 of stimulus 0 is -inf"):
        gram([bad])
    with pytest.raises(ValueError, match=r"shape \(5, 4\) after slabs of 6 stimuli"):
        gram([X, X[:5]])
    with pytest.raises(ValueError, match="no features"):
        gram([])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pearson_by_column(dtype):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 40, 5))
    r = pearson(torch.from_numpy(x + 3 * y).to(dtype), torch.from_numpy(y - 9).to(dtype))
    expected = [np.corrcoef((x + 3 * y)[:, u], y[:, u])[0, 1] for u in range(5)]
    np.testing.assert_allclose(r.numpy(), expected, rtol=0, atol=1e-14 if dtype == torch.float64 else 2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("constant", [0.0, 0.1, -1234.567])
def test_a_column_that_does_not_vary_correlates_with_nothing(dtype, constant):
    y = torch.from_numpy(np.random.default_rng(4).normal(size=(37, 3))).to(dtype)
    flat = torch.full_like(y, constant)
    assert pearson(flat, y).tolist() == pearson(y, flat).tolist() == pearson(flat, flat).tolist() == [0, 0, 0]


def test_floor_tells_rounding_from_a_prediction():
    y = torch.from_numpy(np.random.default_rng(5).normal(size=(50, 1)))
    assert pearson(1e-6 * y, y, floor=1e-5).item() == 0
    assert pearson(1e-4 * y, y, floor=1e-5).item() == pytest.approx(1, abs=1e-14)


def test_noise_normalised_score():
    np.testing.assert_allclose(
        noise_normalised(np.array([[0.3, 0.9], [0, -0.1]]), np.array([36, 49])), [[0.5, 9 / 7], [0, -1 / 7]]
    )
    with pytest.raises(ValueError, match="unit 1 has a noise ceiling of 0 percent"):
        noise_normalised(np.ones(3), np.array([10, 0, 20]))
    with pytest.raises(ValueError, match="unit 0 has a noise ceiling of nan"):
        noise_normalised(np.ones(1), np.array([np.nan]))
