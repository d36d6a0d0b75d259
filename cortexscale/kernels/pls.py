"""Partial least squares regression from a Gram matrix, as dual coefficients (Rosipal & Trejo 2001).

A component is the direction of the features that covaries most with a direction of the responses. Let K = X X' be the kernel of
the centred features X, and let Y be the responses minus the part that earlier components explain. The direction c of the
responses is the leading eigenvector of Y' K Y. The scores of the stimuli are t = K Y c, made orthogonal to earlier scores and
scaled to length 1. Then Y is replaced by Y - t t' Y. Let T have the scores t of all components as its columns, and let U have the
vectors Y c as its columns. With the initial Y, predictions are K U (T' K U)^-1 T' Y. This is scikit-learn's ``PLSRegression``
with ``scale=False``, as in Brain-Score. Here c is computed by Lanczos' method, because power iteration can stop too early.
"""

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.finite import checked_responses

_STEPS = 500
"""Largest number of Lanczos steps for one component. Usually twenty to forty steps are enough."""


def pls_coefficients(K: Tensor, Y: Tensor | np.ndarray, components: int) -> tuple[Tensor, Tensor]:
    """Fit partial least squares regression to all responses Y (n, T) together, from K (n, n) in any centring.

    There are fewer than ``components`` components if the features or the responses have fewer directions. For A components,
    products with K cost 2 n^2 (T + 2 A) operations, and each step of Lanczos' method costs 4 n T. Memory holds 3 n T + 3 n A
    values. The coefficients and means are used like those of :func:`~cortexscale.kernels.bordered_inverse.dual_coefficients`.
    """
    if components < 1:
        raise ValueError(f"{components} components; at least 1 is needed")
    Y = checked_responses(K, Y).to(K.dtype)
    mean = Y.mean(dim=0)
    residual = Y - mean
    product = _centred_product(K, residual)
    scores, directions, loadings = K.new_zeros(len(K), 0), K.new_zeros(len(K), 0), K.new_zeros(0, Y.shape[1])
    smallest = K.new_zeros(())
    for _ in range(components):
        c = _leading_eigenvector(residual, product)
        u, t = residual @ c, product @ c
        t = t - scores @ (scores.T @ t)
        length = t.norm()
        if length <= smallest:
            break
        smallest = smallest.maximum(length * len(K) * torch.finfo(K.dtype).eps)
        t = t / length
        loading = residual.T @ t
        residual -= torch.outer(t, loading)
        product -= torch.outer(_centred_product(K, t), loading)
        scores, directions = torch.column_stack([scores, t]), torch.column_stack([directions, u / u.norm()])
        loadings = torch.vstack([loadings, loading])
    inner = scores.T @ _centred_product(K, directions)
    return directions @ torch.linalg.solve_triangular(inner, loadings, upper=True), mean


def _centred_product(K: Tensor, x: Tensor) -> Tensor:
    """Multiply the centred K by x, whose columns sum to 0."""
    product = K @ x
    return product.sub_(product.mean(dim=0))


def _leading_eigenvector(left: Tensor, right: Tensor) -> Tensor:
    """Compute the eigenvector (T,) of the largest eigenvalue of ``left.T @ right`` by Lanczos' method.

    The matrix is positive semidefinite.
    """
    n_responses, tolerance = left.shape[1], torch.finfo(left.dtype).eps ** 0.75
    largest = (left * right).sum(dim=0).argmax()
    v = left.T @ right[:, largest]
    basis = [v / v.norm().clamp(min=torch.finfo(v.dtype).tiny)]
    diagonal: list[float] = []
    beside: list[float] = []
    vectors = np.ones((1, 1))
    for _ in range(min(n_responses, _STEPS)):
        w = left.T @ (right @ basis[-1])
        diagonal.append(float(basis[-1] @ w))
        spanned = torch.stack(basis, dim=1)
        for _ in range(2):
            w = w - spanned @ (spanned.T @ w)
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        length = float(w.norm())
        if length * abs(vectors[-1, -1]) <= tolerance * values[-1]:
            break
        basis.append(w / length)
        beside.append(length)
    return torch.stack(basis[: len(diagonal)], dim=1) @ torch.from_numpy(vectors[:, -1]).to(left)
