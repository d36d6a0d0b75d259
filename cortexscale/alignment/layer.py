"""Ridge regression from one layer to the responses of all datasets with the same stimuli, and means over the units of a ROI."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.features.store import Store
from cortexscale.kernels.device import best_device, working_precision
from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import GramMatrix
from cortexscale.kernels.nested_ridge import nested_ridge
from cortexscale.kernels.ridge_problem import NestedRidge


@dataclass(frozen=True)
class RidgeSettings:
    """Settings of ridge regression. The defaults are those of the paper (section 3).

    Attributes:
        alphas: penalties, ascending.
        search: ``full`` evaluates all penalties, ``adaptive`` those around the minimum.
        alpha_per: ``roi`` chooses one penalty per subject and ROI, ``unit`` one per unit, which needs the full search.
        folds: number of outer folds.
        fold_kind: ``contiguous``, ``shuffled``, or ``grouped``, which keeps the stimuli of a concept in one fold.
        fold_seed: seed of shuffled and grouped folds.
        precision: ``float32``, ``float64``, or ``auto``, which is float64 on devices that are fast at it.
    """

    alphas: tuple[float, ...] = tuple(np.logspace(1, 7, 10))
    search: str = "adaptive"
    alpha_per: str = "roi"
    folds: int = 5
    fold_kind: str = "contiguous"
    fold_seed: int = 42
    precision: str = "auto"

    @classmethod
    def from_config(cls, ridge: dict[str, Any]) -> "RidgeSettings":
        """Read the settings from the ``ridge`` section of a config."""
        grid, folds = ridge["alphas"], ridge["folds"]
        return cls(
            tuple(np.logspace(grid["low"], grid["high"], grid["count"])),
            grid["search"],
            ridge["alpha_per"],
            folds["count"],
            folds["kind"],
            folds["seed"],
            ridge["precision"],
        )

    def dtype(self, device: torch.device) -> torch.dtype:
        """The dtype of kernels on a device."""
        return working_precision(device) if self.precision == "auto" else getattr(torch, self.precision)

    def held_out(self, target: Targets) -> list[np.ndarray]:
        """The outer folds of the training stimuli."""
        n, seed = len(target.train_rows), None if self.fold_kind == "contiguous" else self.fold_seed
        return k_folds(n, self.folds, seed=seed, groups=target.train_concepts if self.fold_kind == "grouped" else None)


def check_store(store: Store, stimuli_hash: str) -> None:
    """Refuse features of another stimulus set.

    Raises:
        InputError: the store belongs to another stimulus set.
    """
    found = store.attributes["identity"]["stimuli"]
    if found != stimuli_hash:
        raise InputError(
            store.path, f"features of stimulus set {found}", f"features of {stimuli_hash}", "delete the store and run again"
        )


def layer_fits(
    store: Store,
    layer: str,
    targets: Sequence[Targets],
    settings: RidgeSettings,
    *,
    folds: bool = False,
    test: bool = False,
    predictions: bool = False,
) -> Iterator[tuple[NestedRidge, GramMatrix]]:
    """Fit ridge regression from one layer to all units of each of ``targets``. Yields the fits with their kernels.

    Args:
        folds: whether the outer folds of the training split are held out.
        test: whether the test split is predicted. The kernel is then that of the training stimuli followed by the test stimuli.
        predictions: whether predicted responses are kept.
    """
    device = best_device()
    dtype = settings.dtype(device)
    wanted = [np.concatenate([target.train_rows, target.test_rows]) if test else target.train_rows for target in targets]
    for target, kernel in zip(targets, store.kernels(layer, wanted, dtype, device), strict=True):
        n = len(target.train_rows)
        yield (
            nested_ridge(
                kernel.K[:n, :n],
                target.responses,
                settings.alphas,
                settings.held_out(target) if folds else [],
                cross=kernel.K[n:, :n] if test else None,
                search=settings.search,
                alpha_per="unit" if settings.alpha_per == "unit" else "group",
                predictions=predictions,
            ),
            kernel,
        )


def chosen_penalties(fit: NestedRidge, settings: RidgeSettings) -> tuple[np.ndarray, np.ndarray]:
    """Look up the penalty of each pair of a group and a unit on all training stimuli, and whether it ends the grid: (P,) each."""
    chosen = fit.chosen[-1]
    return np.asarray(settings.alphas)[chosen], (chosen == 0) | (chosen == len(settings.alphas) - 1)


def group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Average over the units of each group: (..., groups).

    Args:
        values: (..., pairs), one value per group and unit, as in a :class:`~cortexscale.kernels.nested_ridge.NestedRidge`.
        group: (pairs,) group of each pair, ascending. Every group occurs.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.add.reduceat(values, starts, axis=-1) / np.bincount(group)
