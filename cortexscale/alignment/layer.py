"""One layer against the responses of all datasets that share its images: kernels, ridge, means over the units of a ROI."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.features.store import FeatureStore
from cortexscale.kernels.device import best_device, working_precision
from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import gram
from cortexscale.kernels.nested_ridge import NestedRidge, nested_ridge


@dataclass(frozen=True)
class RidgeSettings:
    """How the mapping is fitted; defaults are the paper's (section 3).

    ``search`` for the penalty is ``adaptive`` or ``full``, which evaluates all ``alphas``; ``alpha_per`` is ``roi`` (one
    penalty per subject and ROI) or ``unit``, which needs the full search; ``fold_kind`` is ``contiguous`` or ``shuffled``;
    ``precision`` is ``float32``, ``float64``, or ``auto``: float64 where the device is fast at it.
    """

    alphas: tuple[float, ...] = tuple(np.logspace(1, 7, 10))
    search: str = "adaptive"
    alpha_per: str = "roi"
    folds: int = 5
    fold_kind: str = "contiguous"
    fold_seed: int = 42
    precision: str = "auto"

    @classmethod
    def from_config(cls, ridge: dict) -> "RidgeSettings":
        """From the ``ridge`` section of a config."""
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


def check_store(store: FeatureStore, stimuli_hash: str) -> None:
    """Refuse features that belong to another stimulus set.

    Raises:
        InputError: names the store.
    """
    found = store.attributes["identity"]["stimuli"]
    if found != stimuli_hash:
        raise InputError(
            store.path, f"features of stimulus set {found}", f"features of {stimuli_hash}", "delete the store and run again"
        )


def layer_fits(
    store: FeatureStore, layer: str, targets: Sequence[Targets], settings: RidgeSettings, *, folds: bool, test: bool
) -> Iterator[NestedRidge]:
    """Ridge of one layer for all units of each of ``targets``.

    Args:
        folds: hold out the outer folds of the training split.
        test: predict the test split.
    """
    device = best_device()
    dtype = working_precision(device) if settings.precision == "auto" else getattr(torch, settings.precision)
    wanted = [np.concatenate([target.train_rows, target.test_rows]) if test else target.train_rows for target in targets]
    for target, kernel in zip(targets, layer_kernels(store, layer, wanted, dtype, device), strict=True):
        n = len(target.train_rows)
        held_out = []
        if folds:
            held_out = k_folds(n, settings.folds, seed=settings.fold_seed if settings.fold_kind == "shuffled" else None)
        yield nested_ridge(
            kernel[:n, :n],
            target.responses,
            settings.alphas,
            held_out,
            cross=kernel[n:, :n] if test else None,
            search=settings.search,
            alpha_per="unit" if settings.alpha_per == "unit" else "group",
        )


def layer_kernels(
    store: FeatureStore, layer: str, wanted: Sequence[np.ndarray], dtype: torch.dtype, device: torch.device
) -> Iterator[torch.Tensor]:
    """Gram matrices of a layer between the images ``wanted`` (rows of the stimulus table), one per entry.

    Entries that mostly repeat each other's images, like the datasets on THINGS, index one Gram matrix of all of them;
    entries with images of their own, like the subjects of NSD, get one each: whichever computes fewer products.
    """
    union = np.unique(np.concatenate(wanted))
    if len(wanted) > 1 and len(union) ** 2 <= sum(len(rows) ** 2 for rows in wanted):
        kernel = gram((slab[union] for slab in store.slabs(layer)), dtype=dtype, device=device).K
        for rows in wanted:
            index = torch.as_tensor(np.searchsorted(union, rows), device=device)
            yield kernel[index[:, None], index]
    else:
        for rows in wanted:
            yield gram((slab[rows] for slab in store.slabs(layer)), dtype=dtype, device=device).K


def group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mean over the units of each group, (..., groups).

    Args:
        values: (..., pairs), one per group and unit, as in a :class:`~cortexscale.kernels.nested_ridge.NestedRidge`.
        group: (pairs,) ascending, every group at least once.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.add.reduceat(values, starts, axis=-1) / np.bincount(group)
