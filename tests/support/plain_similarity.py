"""RSA and CKA as they are written in the papers, in float64."""

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr


def plain_rsa(X: np.ndarray, Y: np.ndarray) -> float:
    return spearmanr(pdist(X, "correlation"), pdist(Y, "correlation")).statistic


def plain_hsic(K: np.ndarray, L: np.ndarray) -> float:
    """Equation 5 of Song et al. 2012."""
    n = len(K)
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    one = np.ones(n)
    return (np.trace(K @ L) + K.sum() * L.sum() / ((n - 1) * (n - 2)) - 2 * one @ K @ L @ one / (n - 2)) / (n * (n - 3))


def plain_cka(X: np.ndarray, Y: np.ndarray) -> float:
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    K, L = X @ X.T, Y @ Y.T
    return plain_hsic(K, L) / np.sqrt(plain_hsic(K, K) * plain_hsic(L, L))
