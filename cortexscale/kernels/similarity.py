"""RSA and CKA between features and responses, computed as dot products of vectors over pairs of stimuli.

RSA is Spearman's correlation between the upper triangles of two distance matrices. The distance of two stimuli is 1 - Pearson r
across features or units, which are not centred (Kriegeskorte et al. 2008, Frontiers in Systems Neuroscience 2:4). Ties get their
mean rank.

CKA is linear, with the unbiased estimate of HSIC (Song et al. 2012, JMLR 13:1393; Kornblith et al. 2019, ICML; Nguyen et al.
2021, ICLR). This estimate is the inner product of two U-centred Gram matrices of n stimuli, divided by n (n - 3) (Szekely & Rizzo
2014, Annals of Statistics 42:2382). U-centring sets the diagonal to 0 and makes every row sum to 0. For independent features and
responses, the estimate is 0 on average. It can be negative. Features are centred only because an offset would use up the digits
of float32.

Both measures are nan if there are fewer than 4 stimuli, or if the stimuli differ only by rounding. RSA also needs 3 features or
units, and distances that are not all equal. RSA is also nan if all features or units of a stimulus are equal, as for a blank
image in a layer without bias.
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
"""Number of rows of K that are processed together. Their float64 copies stay in the cache. The number also sets the order of
pairs."""
_FEW = 2**17
"""Largest number of pairs for which distances are float64 and are sorted to get ranks. For few pairs, counting float32 distances
in bins is not faster, and it is too coarse."""
_DOT = 2**16
"""Number of values in a block of a dot product."""


@dataclass(frozen=True)
class Geometry:
    """The similarities of n stimuli in features or units, as two vectors over the n (n - 1) / 2 pairs.

    ``distance_ranks`` are the centred ranks of the correlation distances. ``products`` are the off-diagonal elements of the
    U-centred Gram matrix. Both have norm 1, or are all nan if the measure is not defined. The dtype is float64 for up to 512
    stimuli and float32 for more. In float32, both vectors together take 4 n^2 bytes (36 MB for 3,000 stimuli, 2 GB for 22,248),
    and errors of RSA and CKA are at most 1e-6. All geometries of n stimuli have the same order of pairs. Other packages use
    another order.
    """

    distance_ranks: Tensor
    products: Tensor


def rsa(one: Geometry, other: Geometry) -> float:
    """Compute RSA: Spearman's correlation between the distances of two geometries over the same stimuli."""
    return _dot(one.distance_ranks, other.distance_ranks)


def cka(one: Geometry, other: Geometry) -> float:
    """Compute unbiased linear CKA between two geometries over the same stimuli."""
    return _dot(one.products, other.products)


def feature_geometry(gram: GramMatrix) -> Geometry:
    """Compute the geometry of a layer from the Gram matrix of its features, in one pass over the upper triangle of K.

    In addition to K and the result, memory holds 3 strips of 64 n float64 values.
    """
    K = gram.K
    return _geometry(
        lambda rows: K[rows, rows.start :],
        K.diagonal().double(),
        K.sum(dim=1).double(),  # torch adds pairwise, which loses no digits
        gram.row_sums,
        gram.mean_products,
        gram.width,
        torch.finfo(K.dtype).eps,
    )


def response_geometry(responses: Tensor) -> Geometry:
    """Compute the geometry of units from their observed or predicted responses (n, units), without an n x n matrix.

    Responses are float32 or float64, and n^2 x units operations are computed in their dtype. In addition to the result, memory
    holds one copy of the responses and 4 strips of 64 n float64 values. A response that is not finite raises ValueError.
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
    """Yield the geometry of each ROI of ``members`` (ROIs, units). The caller decides how many geometries are in memory at a
    time.
    """
    for units in members:
        yield response_geometry(responses[:, torch.as_tensor(units, device=responses.device)])


def _geometry(
    strip: Callable[[slice], Tensor], diagonal: Tensor, row_sums: Tensor, s: Tensor, w: Tensor, width: int, eps: float
) -> Geometry:
    """Compute a geometry. ``strip`` returns rows i:j and columns i: of K. For s, w and ``width``, see GramMatrix."""
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

    # U-centred values are K_ij - a_i - a_j + sum(a) / (n - 1), where a_i is the sum of row i without its diagonal / (n - 2).
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
    if not norm > rounding * pairs**0.5:  # both sides are in units of the mean diagonal
        return Geometry(distances.fill_(torch.nan), products.fill_(torch.nan))
    return Geometry(unit_ranks_(distances) if patterned else distances.fill_(torch.nan), products.div_(norm))


def _write_pairs(strip: Tensor, out: Tensor) -> int:
    """Write those elements of a strip (h, w) that lie above the diagonal of the matrix into ``out``, and return their number.

    The diagonal starts at the first row and column of the strip.
    """
    h, w = strip.shape
    beside = h * (w - h)
    out[:beside].view(h, w - h).copy_(strip[:, h:])
    i, j = torch.triu_indices(h, h, 1, device=strip.device)
    out[beside : beside + len(i)] = strip[i, j].to(out.dtype)
    return beside + len(i)


def _dot(x: Tensor, y: Tensor) -> float:
    """Compute a dot product in blocks, in the dtype of the vectors. The blocks are summed in float64."""
    if len(x) != len(y):
        raise ValueError(f"a geometry of {len(x)} pairs of stimuli with one of {len(y)}")
    blocks = [torch.dot(a, b) for a, b in zip(x.split(_DOT), y.split(_DOT), strict=True)]
    return torch.stack(blocks).double().sum().item()
