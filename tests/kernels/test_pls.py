"""Partial least squares from a Gram matrix against scikit-learn and closed forms, in float64."""

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import PLSRegression

from cortexscale.kernels.bordered_inverse import dual_coefficients
from cortexscale.kernels.gram import gram
from cortexscale.kernels.pls import pls_coefficients

N_TRAIN, N_TEST = 80, 30


def problem(p: int, units: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = 3 + rng.normal(size=(N_TRAIN + N_TEST, p)) * np.arange(1, p + 1) ** -0.5
    signal = X[:, :30] @ rng.normal(size=(min(p, 30), units))
    return X, signal + noise * rng.normal(size=signal.shape) + 5


def predicted(X: np.ndarray, Y: np.ndarray, components: int, dtype: torch.dtype = torch.float64) -> np.ndarray:
    K = gram([X], dtype=dtype).K
    within = K[:N_TRAIN, :N_TRAIN]
    C, mean = pls_coefficients(within, torch.from_numpy(Y[:N_TRAIN]), components)
    return ((K[N_TRAIN:, :N_TRAIN] - within.mean(dim=0)) @ C + mean).numpy()


@pytest.mark.parametrize("p", [40, 300])
@pytest.mark.parametrize("units", [1, 7, 200])
@pytest.mark.parametrize("components", [1, 25])
def test_predictions_are_those_of_scikit_learn(p, units, components):
    X, Y = problem(p, units)
    exact = PLSRegression(components, scale=False, max_iter=100_000, tol=1e-24).fit(X[:N_TRAIN], Y[:N_TRAIN])
    theirs = exact.predict(X[N_TRAIN:]).reshape(N_TEST, units)
    assert (np.abs(predicted(X, Y, components) - theirs) < 1e-8 * theirs.std(axis=0)).all()


def test_its_power_iteration_stops_early_by_default():
    """Predictions at the tolerance of Brain-Score are close: correlations differ in the fourth digit."""
    X, Y = problem(300, 20)
    default = PLSRegression(25, scale=False).fit(X[:N_TRAIN], Y[:N_TRAIN]).predict(X[N_TRAIN:])
    ours = predicted(X, Y, 25)
    r = [[np.corrcoef(each[:, u], Y[N_TRAIN:, u])[0, 1] for u in range(20)] for each in (ours, default)]
    assert np.abs(np.subtract(*r)).max() < 1e-3


def test_all_components_of_few_features_are_least_squares():
    """More components than the features have change nothing."""
    X, Y = problem(6, 4)
    design = np.column_stack([X, np.ones(len(X))])
    least = design[N_TRAIN:] @ np.linalg.lstsq(design[:N_TRAIN], Y[:N_TRAIN], rcond=None)[0]
    for components in (6, 25):
        np.testing.assert_allclose(predicted(X, Y, components), least, rtol=1e-8)


def test_one_component_of_one_unit_has_a_closed_form():
    """The weights are the covariances of the features with the unit."""
    X, Y = problem(50, 1)
    centred, y = X[:N_TRAIN] - X[:N_TRAIN].mean(axis=0), Y[:N_TRAIN, 0]
    weights = centred.T @ (y - y.mean())
    scores = centred @ weights
    slope = scores @ (y - y.mean()) / (scores @ scores)
    expected = y.mean() + slope * (X[N_TRAIN:] - X[:N_TRAIN].mean(axis=0)) @ weights
    np.testing.assert_allclose(predicted(X, Y, 1)[:, 0], expected, rtol=1e-10)


def test_components_do_not_depend_on_the_centring_of_the_kernel():
    X, Y = problem(60, 5)
    K = torch.from_numpy(X @ X.T)[:N_TRAIN, :N_TRAIN]
    C, _ = pls_coefficients(K, Y[:N_TRAIN], 10)
    expected, _ = pls_coefficients(gram([X[:N_TRAIN]], dtype=torch.float64).K, Y[:N_TRAIN], 10)
    torch.testing.assert_close(C, expected, rtol=1e-7, atol=1e-9)
    assert C.sum(dim=0).abs().max() < 1e-9 * C.abs().max() * N_TRAIN


def test_float32_gives_the_same_correlations():
    X, Y = problem(300, 20)
    single, double = (predicted(X, Y, 25, dtype) for dtype in (torch.float32, torch.float64))
    r = [[np.corrcoef(each[:, u], Y[N_TRAIN:, u])[0, 1] for u in range(20)] for each in (single, double)]
    assert np.abs(np.subtract(*r)).max() < 1e-3


def test_silent_units_are_predicted_to_be_silent():
    X, Y = problem(50, 3)
    Y[:, 1] = 2.5
    assert np.ptp(predicted(X, Y, 10)[:, 1]) < 1e-12
    assert (predicted(X, np.full_like(Y, 2.5), 10) == 2.5).all()


def test_what_cannot_be_fitted_says_why():
    X, Y = problem(20, 2)
    K = gram([X[:N_TRAIN]], dtype=torch.float64).K
    with pytest.raises(ValueError, match="0 components"):
        pls_coefficients(K, Y[:N_TRAIN], 0)
    for fit in (lambda y: pls_coefficients(K, y, 3), lambda y: dual_coefficients(K, y, np.array(1.0))):
        bad = Y[:N_TRAIN].copy()
        bad[3, 1] = np.nan
        with pytest.raises(ValueError, match=r"response \[3, 1\] is nan"):
            fit(bad)
