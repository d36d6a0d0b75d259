"""Representational similarity of features and responses: RSA and CKA as dot products between vectors over pairs of stimuli.

What either measure needs of one side is prepared once: the ranks of its correlation distances, and its U-centred Gram
matrix, both scaled to norm 1. A layer is then compared with a ROI by two dot products, however many features and units
there are; a side prepared for one comparison serves all others over the same stimuli.

RSA is Spearman's correlation between the upper triangles of two matrices of 1 - Pearson r between stimuli, across
features or units as they are (Kriegeskorte et al. 2008, Frontiers in Systems Neuroscience 2:4; ties share their mean rank).

CKA is linear, on features centred over stimuli, with the unbiased estimate of HSIC (Song et al. 2012, JMLR 13:1393;
Kornblith et al. 2019, ICML; Nguyen et al. 2021, ICLR). HSIC of two Gram matrices is the inner product of their U-centred
forms over n (n - 3) (Szekely & Rizzo 2014, Annals of Statistics 42:2382), where U-centring sets the diagonal to 0 and
makes every row sum to 0. It is 0 on average for independent sides and may fall below 0. Centring features first changes
nothing in exact arithmetic, but an offset would use up the digits of float32.

A measure that is not defined is nan:
    both    fewer than 4 stimuli, or stimuli that do not differ beyond rounding (constant units, a readout that predicts
            the mean);
    RSA     fewer than 3 features or units (with 2 every r is 1 or -1, with 1 there is none), a stimulus to which all
            features respond alike, such as a blank image in a layer without bias, or distances that are all equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.gram import GramMatrix
from cortexscale.kernels.ranks import unit_ranks_

_STRIP = 64
"""Rows of K handled together; their float64 copies stay in cache. It also fixes the order of the pairs."""
_FEW = 2**17
"""Pairs up to which sorting in float64 is as fast as counting in float32, which is too coarse for few."""
_DOT = 2**16


@dataclass(frozen=True)
class Geometry:
    """How features or units tell n stimuli apart: two vectors over the n (n - 1) / 2 pairs, each of norm 1 or all nan.

    float64 up to 512 stimuli, float32 above: together 4 n^2 bytes, 36 MB for 3,000 stimuli, 2 GB for 22,248. Then RSA and CKA
    are right to 1e-6. The order of the pairs is the same for all geometries of n stimuli, and not that of other packages.

    Attributes:
        distance_ranks: centred ranks of the correlation distances.
        products: the U-centred Gram matrix.
    """

    distance_ranks: Tensor
    products: Tensor


def rsa(one: Geometry, other: Geometry) -> float:
    """Spearman's correlation between the correlation distances of two sides.

    Raises:
        ValueError: geometries of different numbers of stimuli.
    """
    return _dot(one.distance_ranks, other.distance_ranks)


def cka(one: Geometry, other: Geometry) -> float:
    """Unbiased linear CKA of two sides.

    Raises:
        ValueError: geometries of different numbers of stimuli.
    """
    return _dot(one.products, other.products)


def feature_geometry(gram: GramMatrix) -> Geometry:
    """Geometry of a layer from the Gram matrix of its features, in one pass over the upper triangle of K.

    Memory beyond K and the result: 3 strips of 64 n float64.
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
    """Geometry of a population of units, observed or predicted. Never holds an n x n matrix.

    Cost: n^2 units operations, in the dtype of the responses. Memory beyond the result: one copy of the responses and 4
    strips of 64 n float64.

    Args:
        responses: (n, units) float32 or float64.

    Raises:
        ValueError: a response that is not finite.
    """
    if not responses.isfinite().all():
        row, column = (~responses.isfinite()).nonzero()[0].tolist()
        raise ValueError(f"response [{row}, {column}] is {responses[row, column].item()}")
    eps, width = torch.finfo(responses.dtype).eps, responses.shape[1]
    mean = responses.mean(dim=0)
    Y = responses - mean
    Y[:, Y.std(dim=0, correction=0) <= 4 * eps * mean.abs()] = 0  # a constant unit, up to the rounding of its mean
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
    """Geometry of each ROI in turn, so that the caller decides how many are held.

    Args:
        responses: (n, units).
        members: (ROIs, units) bool; ROIs may share units.
    """
    for units in members:
        yield response_geometry(responses[:, torch.as_tensor(units, device=responses.device)])


def _geometry(
    strip: Callable[[slice], Tensor], diagonal: Tensor, row_sums: Tensor, s: Tensor, w: Tensor, width: int, eps: float
) -> Geometry:
    """Both vectors from the Gram matrix K of centred features, seen one strip of its upper triangle at a time.

    Args:
        strip: for rows i:j, K[i:j, i:].
        diagonal, row_sums: (n,) of K.
        s, w: (n,) sums of the features and products with their mean, see :class:`~cortexscale.kernels.gram.GramMatrix`.
        eps: relative rounding of K.
    """
    n, rounding = len(diagonal), 100 * eps
    pairs = n * (n - 1) // 2
    kind = {"dtype": torch.float64 if pairs <= _FEW else torch.float32, "device": diagonal.device}
    distances, products = torch.empty(pairs, **kind), torch.empty(pairs, **kind)
    scale = diagonal.mean()
    if n < 4 or not scale > 0:
        return Geometry(distances.fill_(torch.nan), products.fill_(torch.nan))

    # Distance: 1 - q_i (K_ij - s_i s_j / p + w_i + w_j) q_j, with q the inverse norms across features.
    variance = diagonal + 2 * w - s.square() / width
    patterned = width > 2 and bool((variance > rounding * (diagonal + 2 * w.abs() + s.square() / width)).all())
    q = variance.rsqrt()
    one, sq, wq = torch.ones_like(q), s * q / width**0.5, w * q
    left, right = torch.stack([one, sq, -wq, -q], dim=1), torch.stack([one, sq, q, wq])

    # U-centred: K_ij - a_i - a_j + the mean of a, with a the sums of rows without the diagonal over n - 2.
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
    """Put each pair of a strip (h, w), whose diagonal is that of the matrix, into ``out`` once. Returns their number."""
    h, w = strip.shape
    beside = h * (w - h)
    out[:beside].view(h, w - h).copy_(strip[:, h:])
    i, j = torch.triu_indices(h, h, 1, device=strip.device)
    out[beside : beside + len(i)] = strip[i, j].to(out.dtype)
    return beside + len(i)


def _dot(x: Tensor, y: Tensor) -> float:
    """Blocks in the vectors' dtype, their sums added in float64."""
    if len(x) != len(y):
        raise ValueError(f"a geometry of {len(x)} pairs of stimuli beside one of {len(y)}")
    blocks = [torch.dot(a, b) for a, b in zip(x.split(_DOT), y.split(_DOT), strict=True)]
    return torch.stack(blocks).double().sum().item()
