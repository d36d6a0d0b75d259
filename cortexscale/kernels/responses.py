"""The responses that ridge predicts. Results that depend only on responses are computed once for all layers."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.finite import not_finite
from cortexscale.kernels.gram import gram

SKETCH = 32
"""Number of random combinations of a group's units from which its penalty is guessed."""

_WIDE = 1.5
"""Number of units per stimulus above which a group is replaced by a smaller factor. In smaller groups, the factor would save
little time, because the correlations of the units are computed in any case."""

_COLUMNS = 1024
"""Number of units that are averaged at a time."""


class Responses:
    """Responses of T units to n training stimuli, (n, T), and m test stimuli, (m, T).

    The boolean ``members`` (G, T) tells which units each of G groups has. Groups may overlap. Responses are not copied and stay
    where they are, usually as float32 in host memory. Units are centred, converted and moved to the device in blocks.
    ``known_factor`` returns the :meth:`factor` of a group if an earlier run stored it. Wrong shapes, values that are not finite
    and groups without units raise ValueError.
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
        """Return training responses (n, len(units)) minus their mean over all n stimuli.

        The dtype and device are those of ``like``.
        """
        return self.train[:, _columns(units)].to(like)[rows] - self.mean(units, like)

    def mean(self, units: np.ndarray, like: Tensor) -> Tensor:
        """Return the mean training responses (len(units),) with the dtype and device of ``like``."""
        return self._mean[_columns(units)].to(like)

    def test_responses(self, units: np.ndarray, like: Tensor) -> Tensor:
        """Return the test responses (m, len(units)) with the dtype and device of ``like``."""
        assert self.test is not None, "a kernel of test stimuli comes with responses to them"
        return self.test[:, _columns(units)].to(like)

    def is_wide(self, group: int) -> bool:
        """Tell whether a group has so many units that its penalty is chosen with :meth:`factor` and not with the units."""
        return bool(np.count_nonzero(self.members[group]) > _WIDE * self.n_stimuli)

    def factor(self, group: int, device: torch.device) -> Tensor:
        """Compute the float64 matrix F (n, r <= n) with F F' = Y Y', where Y are the centred responses of a group.

        Leave-one-out residuals are linear in Y, so their squares, summed over columns, depend only on Y Y'. They are therefore
        the same for F as for Y at every alpha. F is U S of the singular value decomposition Y = U S V', and is computed from Y
        Y'. F is kept for the next layers.
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
        """Return up to ``SKETCH`` random combinations (rows, combinations) of the units of a group.

        In expectation, the sum of their squared errors is the sum of the squared errors of the units.
        """
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
    """Return the mean of each column, (columns,) float64. A value that is not finite raises a ValueError with ``name``."""
    mean = torch.empty(values.shape[1], dtype=torch.float64, device=values.device)
    for part, part_mean in zip(values.split(_COLUMNS, dim=1), mean.split(_COLUMNS), strict=True):
        part_mean.copy_(part.mean(dim=0, dtype=torch.float64))  # taken in parts, because torch makes a float64 copy of its input
    if not mean.isfinite().all():  # one value that is not finite is enough, so this checks all values
        raise not_finite(values, name)
    return mean
