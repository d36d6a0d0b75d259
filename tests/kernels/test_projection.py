"""Random projections: laws of their matrices, what they preserve, and that a seed means one matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.random_projection import SparseRandomProjection

from cortexscale.kernels.projection import FAMILIES, RandomProjection, _balanced_pieces


def matrix(family, n_in, n_out, seed=0):
    """(n_out, n_in) by projecting the unit vectors."""
    return RandomProjection(family, n_in, n_out, seed)(torch.eye(n_in, dtype=torch.float64)).T.numpy()


def test_sparse_follows_the_law_of_scikit_learn():
    ours = matrix("sparse", 1600, 400)
    theirs = SparseRandomProjection(400, random_state=0).fit(np.zeros((1, 1600))).components_.toarray()
    np.testing.assert_allclose(np.unique(ours), np.unique(theirs), rtol=1e-12)
    density = 1 / np.sqrt(1600)
    spread = np.sqrt(density * (1 - density) / ours.size)
    for R in (ours, theirs):
        assert abs((R != 0).mean() - density) < 4 * spread
        assert abs(np.sign(R).sum()) < 4 * np.sqrt(np.count_nonzero(R))
    # Non-zeros per row and per column are binomial in ours as in theirs.
    for axis, length in ((0, 400), (1, 1600)):
        expected = length * density * (1 - density)
        assert (ours != 0).sum(axis=axis).var() == pytest.approx(expected, rel=0.25)
        assert (theirs != 0).sum(axis=axis if axis == 0 else 1).var() == pytest.approx(expected, rel=0.25)


def test_countsketch_has_one_sign_per_input_in_balanced_buckets():
    R = matrix("countsketch", 1000, 300)
    assert set(np.unique(R)) == {-1, 0, 1}
    assert ((R != 0).sum(axis=0) == 1).all()
    assert set((R != 0).sum(axis=1)) == {3, 4}
    assert abs(R.sum()) < 4 * np.sqrt(1000)


@given(st.integers(1, 60), st.integers(1, 300), st.integers(0, 5))
def test_pieces_of_a_countsketch_are_all_inputs_once_and_each_stretch_fills_the_ring_once(n_out, n_in, seed):
    pieces = _balanced_pieces(np.random.default_rng(seed), n_out, n_in)
    inputs = np.concatenate([np.arange(first, last) for first, last, _ in pieces])
    outputs = np.concatenate([np.arange(place, place + last - first) for first, last, place in pieces])
    np.testing.assert_array_equal(inputs, np.arange(n_in))
    assert outputs.min() >= 0 and outputs.max() < n_out
    for stretch in range(0, n_in, n_out):
        of_stretch = outputs[stretch : stretch + n_out]
        assert len(set(of_stretch)) == len(of_stretch)


def test_pieces_keep_distances_where_activations_repeat_themselves():
    """Tokens with a few channels of great activations have a period, which must not meet itself more often than by chance."""
    rng, n_out = np.random.default_rng(0), 3000
    tokens = rng.normal(size=(8, 60, 128))
    tokens[:, :, [3, 77]] = 30 * (1 + 0.2 * rng.normal(size=(8, 60, 2)))
    x = torch.from_numpy(tokens).flatten(1)
    squared = torch.pdist(x).square()
    pieces, independent = [], []
    for seed in range(40):
        pieces.append(torch.pdist(RandomProjection("countsketch", x.shape[1], n_out, seed)(x)).square() / squared - 1)
        draw = np.random.default_rng(seed)
        output = torch.from_numpy(draw.permutation(np.arange(x.shape[1]) % n_out))
        signs = torch.from_numpy(draw.choice([-1.0, 1.0], x.shape[1]))
        sums = torch.zeros(8, n_out, dtype=x.dtype).index_add_(1, output, x * signs)
        independent.append(torch.pdist(sums).square() / squared - 1)
    ours, theirs = (torch.stack(errors).square().mean().sqrt().item() for errors in (pieces, independent))
    assert ours < 1.2 * theirs


def test_gaussian_entries_are_standard_normal_over_root_n_out():
    R = matrix("gaussian", 2500, 200) * np.sqrt(200)
    assert abs(R.mean()) < 4 / np.sqrt(R.size)
    assert R.std() == pytest.approx(1, abs=4 / np.sqrt(2 * R.size))
    assert (np.abs(R) > 2).mean() == pytest.approx(0.0455, abs=0.002)
    assert np.abs(np.corrcoef(R.T[::100])).max() == pytest.approx(1)
    assert len(np.unique(R[0])) == 2500  # no chunk repeats another


@pytest.mark.parametrize("family", FAMILIES)
def test_inner_products_are_unbiased_over_seeds(family):
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(1, 1, (3, 120)))
    truth = x @ x.T
    estimates = torch.stack([z @ z.T for z in (RandomProjection(family, 120, 40, seed)(x) for seed in range(600))])
    error = (estimates.mean(dim=0) - truth).abs()
    assert (error < 4.5 * estimates.std(dim=0) / np.sqrt(600)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_distances_are_preserved_to_the_expected_distortion(family):
    n_out = 500
    x = torch.relu(torch.from_numpy(np.random.default_rng(1).normal(size=(60, 6000)))).float()
    ratio = torch.pdist(RandomProjection(family, 6000, n_out, 3)(x)).square() / torch.pdist(x).square()
    expected = np.sqrt(2 / n_out)  # sd of a squared distance under a Gaussian projection
    assert abs(ratio.mean().item() - 1) < 3 * expected / np.sqrt(60)
    assert 0.75 * expected < ratio.std().item() < 1.15 * expected


@pytest.mark.parametrize("family", FAMILIES)
def test_one_seed_one_matrix_per_family_and_width(family):
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.normal(size=(7, 3000))).float()
    projected = RandomProjection(family, 3000, 100, 5)(x)
    again = RandomProjection(family, 3000, 100, 5)
    np.testing.assert_array_equal(again(x).numpy(), projected.numpy())
    np.testing.assert_array_equal(again(x).numpy(), projected.numpy())
    # A batch may be summed in another order on another processor. A sum of n products in float32 then differs by less than
    # 6 sqrt(n) 2^-24 times the sum of their magnitudes, but for 3 in 10^8 cases (Higham & Mary 2019, SIAM J. Sci. Comput.).
    R = again(torch.eye(3000))
    exact, magnitude = x.double() @ R.double(), x.double().abs() @ R.double().abs()
    bound = (6 * 3000**0.5 * 2**-24 * magnitude).numpy()
    for computed in (projected, torch.cat([again(x[:3]), again(x[3:])])):
        assert (np.abs(computed.double().numpy() - exact.numpy()) <= bound).all()
    assert (RandomProjection(family, 3000, 100, 6)(x) - projected).abs().max() > 0.1


@pytest.mark.parametrize("family", ["sparse", "countsketch"])
@given(order=st.permutations([0, 1, 2, 3]), shape=st.tuples(*[st.integers(1, 6)] * 3), batch=st.integers(1, 20))
@settings(max_examples=30)
def test_the_order_in_memory_changes_nothing(family, order, shape, batch):
    x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0))
    projection = RandomProjection(family, x[0].numel(), max(1, x[0].numel() // 3), 0)
    expected = projection(x.flatten(1))
    in_memory = x.permute(order).contiguous().permute([order.index(dimension) for dimension in range(4)])
    np.testing.assert_array_equal(projection(in_memory).numpy(), expected.numpy())
    np.testing.assert_array_equal(projection(x).numpy(), expected.numpy())


@pytest.mark.parametrize("family", FAMILIES)
def test_autocast_does_not_reach_into_a_projection(family):
    x, projection = torch.randn(3, 4096), RandomProjection(family, 4096, 16, 0)
    with torch.autocast("cpu", torch.bfloat16):
        inside = projection(x)
    np.testing.assert_array_equal(inside.numpy(), projection(x).numpy())


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_activations_do_not_overflow(family):
    x = torch.full((2, 4096), 6e4, dtype=torch.float16)
    projected = RandomProjection(family, 4096, 16, 0)(x)
    assert projected.dtype == torch.float32 and projected.isfinite().all()
    np.testing.assert_allclose(projected.numpy(), RandomProjection(family, 4096, 16, 0)(x.float()).numpy())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_that_is_not_wider_passes_unchanged(family):
    x = torch.ones(2, 8, dtype=torch.float16)
    projection = RandomProjection(family, 8, 8, 0)
    assert projection.is_identity and projection.width == 8
    assert projection(x) is x
    assert RandomProjection(family, 8, 7, 0).width == 7 and not RandomProjection(family, 8, 7, 0).is_identity


def test_what_cannot_be_projected():
    with pytest.raises(ValueError, match="family 'fourier'; the families are sparse, countsketch, gaussian"):
        RandomProjection("fourier", 10, 5, 0)
    with pytest.raises(ValueError, match="from 10 to 0 features"):
        RandomProjection("sparse", 10, 0, 0)
    with pytest.raises(ValueError, match=r"shape \(3, 9\) for a projection of 10 features"):
        RandomProjection("sparse", 10, 5, 0)(torch.zeros(3, 9))
