"""Representational similarity of features and responses: RSA and CKA as dot products between vectors over pairs of stimuli.

RSA is Spearman's correlation between the upper triangles of two distance matrices. The distance of two stimuli is 1 - Pearson r
across features or units that are not centred (Kriegeskorte et al. 2008, Frontiers in Systems Neuroscience 2:4; ties get their
mean rank).

CKA is linear, with the unbiased estimate of HSIC (Song et al. 2012, JMLR 13:1393; Kornblith et al. 2019, ICML; Nguyen et al.
2021, ICLR). This estimate is the inner product of two U-centred Gram matrices of n stimuli, divided by n (n - 3) (Szekely & Rizzo
2014, Annals of Statistics 42:2382). U-centring sets the diagonal to 0 and makes every row sum to 0. The estimate is 0 on average
for independent sides, and may be negative. Features are centred only because an offset would use up the digits of float32.

Both measures are nan for fewer than 4 stimuli, and for stimuli that differ by rounding alone. RSA also needs 3 features or units,
features that vary at every stimulus (not so for a blank image in a layer without bias), and distances that are not all equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.finite import not_finite
from cortexscale.kernels.gram import GramMatrix
from cortexscale.kernels.ranks import unit_ranks_

_STRIP = 64
"""Rows of K that are handled together; their float64 copies stay in the cache. The number also fixes the order of the pairs."""
_FEW = 2**17
"""Number of pairs up to which float64 distances are sorted. For few pairs, counting float32 is no faster, and too coarse."""
_DOT = 2**16
"""Number of values in one block of a dot product."""


@dataclass(frozen=True)
class Geometry:
    """The similarity structure of features or units over n stimuli: two vectors over the n (n - 1) / 2 pairs.

    ``distance_ranks`` are the centred ranks of the correlation distances, ``products`` the off-diagonal elements of the U-centred
    Gram matrix. Each has norm 1, or is nan throughout where the measure is not defined. The dtype is float64 up to 512 stimuli
    and float32 above, where both take 4 n^2 bytes together (36 MB for 3,000 stimuli, 2 GB for 22,248), and RSA and CKA are right
    to 1e-6. All geometries of n stimuli have the same order of pairs; other packages have another.
    """

    distance_ranks: Tensor
    products: Tensor


def rsa(one: Geometry, other: Geometry) -> float:
    """Spearman's correlation between the correlation distances of two sides over the same stimuli."""
    return _dot(one.distance_ranks, other.distance_ranks)


def cka(one: Geometry, other: Geometry) -> float:
    """Unbiased linear CKA of two sides over the same stimuli."""
    return _dot(one.products, other.products)


def feature_geometry(gram: GramMatrix) -> Geometry:
    """Geometry of a layer from the Gram matrix of its features, in one pass over the upper triangle of K.

    Memory beyond K and the result is 3 strips of 64 n float64.
    """
    K = gram.K
    return _geometry(
        lambda rows: K[rows, rows.start :],
        K.diagonal().double(),
        K.sum(dim=1).double(),  # torch adds in cascade, which costs no digits
        gram.row_sums,
        gram.mean_products,
        gram.width,
        torch.finfo(K.dtype).eps,
    )


def response_geometry(responses: Tensor) -> Geometry:
    """Geometry of units from observed or predicted responses (n, units), float32 or float64, without an n x n matrix.

    The cost is n^2 x units operations in the dtype of the responses. Memory beyond the result is one copy of the responses and 4
    strips of 64 n float64. A response that is not finite raises ValueError.
    """
    if not responses.isfinite().all():
        raise not_finite(responses, "response")
    eps, width = torch.finfo(responses.dtype).eps, responses.shape[1]
    mean = responses.mean(dim=0)
    Y = responses - mean
    Y[:, Y.std(dim=0, correction=0) <= 4 * eps * mean.abs()] = 0  # the unit is constant up to the rounding of its mean
    deviation = mean.double() - mean.double().mean()
    return _geometry(
        lambda rows: Y[rows] @ Y[rows.start :].T,
        Y.square().sum(dim=1).double(),
        torch.zeros(len(Y), dtype=torch.float64, device=Y.device),
        Y.sum(dim=1).double(),
        (Y @ deviation.to(Y.dtype)).double() + deviation @ deviation / 2,
        width,
        eps,
    )


def roi_geometries(responses: Tensor, members: np.ndarray) -> Iterator[Geometry]:
    """Yield the geometry of each of ``members`` (ROIs, units) in turn, so that the caller decides how many are in memory."""
    for units in members:
        yield response_geometry(responses[:, torch.as_tensor(units, device=responses.device)])


def _geometry(
    strip: Callable[[slice], Tensor], diagonal: Tensor, row_sums: Tensor, s: Tensor, w: Tensor, width: int, eps: float
) -> Geometry:
    """Compute both vectors from K. ``strip`` gives the rows i:j and columns i: of K; s, w and ``width`` are as in GramMatrix."""
    n, rounding = len(diagonal), 100 * eps
    pairs = n * (n - 1) // 2
    dtype, device = torch.float64 if pairs <= _FEW else torch.float32, diagonal.device
    distances, products = (torch.empty(pairs, dtype=dtype, device=device) for _ in range(2))
    scale = diagonal.mean()
    if n < 4 or not scale > 0:
        return Geometry(distances.fill_(torch.nan), products.fill_(torch.nan))

    # The distance is 1 - q_i (K_ij - s_i s_j / p + w_i + w_j) q_j, where q_i is the inverse norm of a stimulus.
    variance = diagonal + 2 * w - s.square() / width
    patterned = width > 2 and bool((variance > rounding * (diagonal + 2 * w.abs() + s.square() / width)).all())
    q = variance.rsqrt()
    one, sq, wq = torch.ones_like(q), s * q / width**0.5, w * q
    left, right = torch.stack([one, sq, -wq, -q], dim=1), torch.stack([one, sq, q, wq])

    # U-centred values are K_ij - a_i - a_j + sum(a) / (n - 1), where a_i is the sum of row i without its diagonal, over n - 2.
    a = (row_sums - diagonal) / (scale * (n - 2))
    u_left, u_right = torch.stack([a.sum() / (n - 1) - a, -one], dim=1), torch.stack([one, a])

    start = 0
    for first in range(0, n, _STRIP):
        rows = slice(first, min(first + _STRIP, n))
        K = strip(rows).double()
        count = _write_pairs(torch.addmm(K, u_left[rows], u_right[:, first:], beta=1 / scale.item()), products[start:])
        if patterned:
            K = K * q[rows, None]
            K *= q[first:]
            _write_pairs(torch.addmm(K, left[rows], right[:, first:], beta=-1), distances[start:])
        start += count

    norm = _dot(products, products) ** 0.5
    if not norm > rounding * pairs**0.5:  # in units of the mean diagonal
        return Geometry(distances.fill_(torch.nan), products.fill_(torch.nan))
    return Geometry(unit_ranks_(distances) if patterned else distances.fill_(torch.nan), products.div_(norm))


def _write_pairs(strip: Tensor, out: Tensor) -> int:
    """Write each pair of a strip (h, w) once, and return their number. The first h columns hold its part of the diagonal."""
    h, w = strip.shape
    beside = h * (w - h)
    out[:beside].view(h, w - h).copy_(strip[:, h:])
    i, j = torch.triu_indices(h, h, 1, device=strip.device)
    out[beside : beside + len(i)] = strip[i, j].to(out.dtype)
    return beside + len(i)


def _dot(x: Tensor, y: Tensor) -> float:
    """Dot product, computed in blocks in the dtype of the vectors and summed in float64."""
    if len(x) != len(y):
        raise ValueError(f"a geometry of {len(x)} pairs of stimuli with one of {len(y)}")
    blocks = [torch.dot(a, b) for a, b in zip(x.split(_DOT), y.split(_DOT), strict=True)]
    return torch.stack(blocks).double().sum().item()
