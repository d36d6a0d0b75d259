"""Responses as regression targets: what is known of them before any model is, and so prepared once for all layers."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from cortexscale.kernels.gram import gram

SKETCH = 32
"""Random combinations that stand for the units of a group when its penalty is guessed."""

_WIDE = 1.5
"""Times as many units as stimuli from which a group is reduced. Below, the correlations of its units, which no reduction
spares, cost what the search saves."""

_COLUMNS = 1024
"""Units whose sums are taken at a time."""


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of T units to n training stimuli, in G groups that may overlap (ROIs of subjects).

    They stay where they are, usually in float32 in the memory of the host; units are centred, converted and moved to the
    device in blocks.

    Attributes:
        train: (n, T), of any real dtype.
        members: (G, T) bool.
        test: (m, T) responses to test stimuli.
        known_factor: group -> what :meth:`factor` would give, where an earlier run has kept it, else None.

    Raises:
        ValueError: shapes that do not fit, a value that is not finite, or a group without units.
    """

    train: Tensor
    members: np.ndarray
    test: Tensor | None = None
    known_factor: Callable[[int], Tensor | None] = lambda group: None
    _mean: Tensor = field(init=False, repr=False)
    _factors: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        n_units = self.train.shape[1]
        if self.members.shape[1] != n_units or (self.test is not None and self.test.shape[1] != n_units):
            test = "" if self.test is None else f", {self.test.shape[1]} in the test responses"
            raise ValueError(f"{n_units} units in the training responses{test}, {self.members.shape[1]} in the groups")
        if not self.members.any(axis=1).all():
            raise ValueError(f"group {np.flatnonzero(~self.members.any(axis=1))[0]} has no units to choose an alpha for")
        object.__setattr__(self, "_mean", _finite_mean(self.train, "response"))
        if self.test is not None:
            _finite_mean(self.test, "test response")

    @classmethod
    def of(cls, train: np.ndarray, members: np.ndarray, test: np.ndarray | None = None, **known) -> "Responses":
        """From arrays, which are shared, not copied."""
        test = None if test is None else torch.as_tensor(test)
        return cls(torch.as_tensor(train), np.asarray(members, dtype=bool), test, **known)

    @property
    def n_stimuli(self) -> int:
        return len(self.train)

    @property
    def n_units(self) -> int:
        return self.train.shape[1]

    def centred(self, units: np.ndarray, like: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        """(n, len(units)) training responses less their mean over all n, in the dtype and on the device of ``like``."""
        return self.train[:, _columns(units)].to(like)[rows] - self.mean(units, like)

    def mean(self, units: np.ndarray, like: Tensor) -> Tensor:
        """(len(units),) mean training response, in the dtype and on the device of ``like``."""
        return self._mean[_columns(units)].to(like)

    def tested(self, units: np.ndarray, like: Tensor) -> Tensor:
        """(m, len(units)) test responses, in the dtype and on the device of ``like``."""
        return self.test[:, _columns(units)].to(like)

    def is_wide(self, group: int) -> bool:
        return np.count_nonzero(self.members[group]) > _WIDE * self.n_stimuli

    def factor(self, group: int, device: torch.device) -> Tensor:
        """(n, r <= n) F with F F' = Y Y' for the centred responses Y of a group, float64; kept for the next layer.

        The sum over units of squared leave-one-out errors is the same for both, at every alpha, as those errors are linear
        in Y. F = U S of the thin singular value decomposition of Y; Y Y' loses nothing here, since only Y Y' counts.
        """
        if group not in self._factors:
            known = self.known_factor(group)
            self._factors[group] = self._decomposed(group, device) if known is None else known.to(device)
        return self._factors[group]

    def _decomposed(self, group: int, device: torch.device) -> Tensor:
        units = np.flatnonzero(self.members[group])
        slabs = (self.train[:, _columns(units[first : first + _COLUMNS])] for first in range(0, len(units), _COLUMNS))
        values, U = torch.linalg.eigh(gram(slabs, dtype=torch.float64, device=device).K)
        kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1]
        return U[:, kept] * values[kept].sqrt()

    def sketch(self, group: int, like: Tensor, rows: slice) -> Tensor:
        """(rows, <= SKETCH) sums of the group's units with random signs, whose squared errors are the group's in expectation."""
        units = np.flatnonzero(self.members[group])
        if len(units) <= SKETCH:
            return self.centred(units, like, rows)
        signs = np.random.default_rng(group).choice(np.array([-1, 1], dtype=np.int8), (len(units), SKETCH))
        total = 0
        for first in range(0, len(units), _COLUMNS):
            block = slice(first, first + _COLUMNS)
            total = total + self.centred(units[block], like, rows) @ torch.from_numpy(signs[block]).to(like)
        return total / SKETCH**0.5


def _columns(units: np.ndarray) -> slice | np.ndarray:
    """The same columns as a slice where they are consecutive: a view in place of a gather."""
    if len(units) and units[-1] - units[0] == len(units) - 1:
        return slice(int(units[0]), int(units[-1]) + 1)
    return units


def _finite_mean(values: Tensor, name: str) -> Tensor:
    mean = torch.empty(values.shape[1], dtype=torch.float64, device=values.device)
    for part, target in zip(values.split(_COLUMNS, dim=1), mean.split(_COLUMNS), strict=True):
        target.copy_(part.mean(dim=0, dtype=torch.float64))  # of all values at once, torch would make a float64 copy
    if not mean.isfinite().all():  # one bad value spoils the mean of its unit: far cheaper than to look at every value
        unit = (~mean.isfinite()).nonzero()[0].item()
        row = (~values[:, unit].isfinite()).nonzero()[0].item()
        raise ValueError(f"{name} [{row}, {unit}] is {values[row, unit].item()}")
    return mean
