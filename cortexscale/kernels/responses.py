"""Responses that are to be predicted. Results that do not depend on a model are computed once for all layers."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.finite import not_finite
from cortexscale.kernels.gram import gram

SKETCH = 32
"""Number of random combinations that stand for the units of a group when its penalty is guessed."""

_WIDE = 1.5
"""A group with more than this many units per stimulus is replaced by a smaller factor. In smaller groups the factor saves less
than the correlations of the units cost, which are computed in any case."""

_COLUMNS = 1024
"""Number of units whose sums are taken at a time."""


class Responses:
    """Responses of T units to n training stimuli (n, T) and m test stimuli (m, T). ``members`` (G, T) are the units of G groups.

    Groups may overlap. Responses are not copied and stay where they are, usually in float32 in the memory of the host. Units are
    centred, converted and moved to the device in blocks. ``known_factor`` returns the :meth:`factor` of a group if an earlier run
    has stored it. Shapes that do not fit, values that are not finite and groups without units raise ValueError.
    """

    def __init__(
        self,
        train: np.ndarray | Tensor,
        members: np.ndarray,
        test: np.ndarray | Tensor | None = None,
        known_factor: Callable[[int], Tensor | None] | None = None,
    ) -> None:
        self.train, self.members = torch.as_tensor(train), np.asarray(members, dtype=bool)
        self.test = None if test is None else torch.as_tensor(test)
        self._known_factor, self._factors = known_factor, dict[int, Tensor]()
        if self.members.shape[1] != self.n_units or (self.test is not None and self.test.shape[1] != self.n_units):
            of_test = "" if self.test is None else f", {self.test.shape[1]} in the test responses"
            raise ValueError(f"{self.n_units} units in the training responses{of_test}, {self.members.shape[1]} in the groups")
        if not self.members.any(axis=1).all():
            raise ValueError(f"group {np.flatnonzero(~self.members.any(axis=1))[0]} has no units to choose an alpha for")
        self._mean = _finite_mean(self.train, "response")
        if self.test is not None:
            _finite_mean(self.test, "test response")

    @property
    def n_stimuli(self) -> int:
        return len(self.train)

    @property
    def n_units(self) -> int:
        return self.train.shape[1]

    def centred(self, units: np.ndarray, like: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """(n, len(units)) training responses minus their mean over all n stimuli, in the dtype and on the device of ``like``."""
        return self.train[:, _columns(units)].to(like)[rows] - self.mean(units, like)

    def mean(self, units: np.ndarray, like: Tensor) -> Tensor:
        """(len(units),) mean training response, in the dtype and on the device of ``like``."""
        return self._mean[_columns(units)].to(like)

    def test_responses(self, units: np.ndarray, like: Tensor) -> Tensor:
        """(m, len(units)) test responses, in the dtype and on the device of ``like``."""
        assert self.test is not None, "a kernel of test stimuli comes with responses to them"
        return self.test[:, _columns(units)].to(like)

    def is_wide(self, group: int) -> bool:
        """Whether a group is searched with :meth:`factor` in place of its units, because it has many."""
        return bool(np.count_nonzero(self.members[group]) > _WIDE * self.n_stimuli)

    def factor(self, group: int, device: torch.device) -> Tensor:
        """(n, r <= n) float64 matrix F with F F' = Y Y' for the centred responses Y of a group. It is kept for the next layers.

        Leave-one-out errors are linear in Y, so their squares, summed over columns, are the same for F as for Y at every alpha. F
        is U S of the singular value decomposition Y = U S V'. It is computed from Y Y', on which alone these sums depend.
        """
        if group not in self._factors:
            known = self._known_factor(group) if self._known_factor else None
            self._factors[group] = self._decomposed(group, device) if known is None else known.to(device)
        return self._factors[group]

    def _decomposed(self, group: int, device: torch.device) -> Tensor:
        units = np.flatnonzero(self.members[group])
        slabs = (self.train[:, _columns(units[first : first + _COLUMNS])] for first in range(0, len(units), _COLUMNS))
        values, U = torch.linalg.eigh(gram(slabs, dtype=torch.float64, device=device).K)
        kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1]
        return U[:, kept] * values[kept].sqrt()

    def sketch(self, group: int, like: Tensor, rows: slice) -> Tensor:
        """(rows, <= SKETCH) random signed sums of a group's units. Their squared errors sum to the group's in expectation."""
        units = np.flatnonzero(self.members[group])
        if len(units) <= SKETCH:
            return self.centred(units, like, rows)
        signs = np.random.default_rng(group).choice(np.array([-1, 1], dtype=np.int8), (len(units), SKETCH))
        total = torch.zeros(len(range(self.n_stimuli)[rows]), SKETCH, dtype=like.dtype, device=like.device)
        for first in range(0, len(units), _COLUMNS):
            block = slice(first, first + _COLUMNS)
            total += self.centred(units[block], like, rows) @ torch.from_numpy(signs[block]).to(like)
        return total / SKETCH**0.5


def _columns(units: np.ndarray) -> slice | np.ndarray:
    """Turn consecutive columns into a slice, which gives a view in place of a copy."""
    if len(units) and units[-1] - units[0] == len(units) - 1:
        return slice(int(units[0]), int(units[-1]) + 1)
    return units


def _finite_mean(values: Tensor, name: str) -> Tensor:
    """Mean of each column, (columns,) float64. A value that is not finite raises a ValueError, which calls it by ``name``."""
    mean = torch.empty(values.shape[1], dtype=torch.float64, device=values.device)
    for part, part_mean in zip(values.split(_COLUMNS, dim=1), mean.split(_COLUMNS), strict=True):
        part_mean.copy_(part.mean(dim=0, dtype=torch.float64))  # for all values at once, torch would make a float64 copy
    if not mean.isfinite().all():  # a value that is not finite spoils the mean of its unit: one check per unit
        raise not_finite(values, name)
    return mean
