"""One layer against the responses of all datasets that share its images: kernels, ridge paths, scores per subject and ROI."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.features.store import FeatureStore
from cortexscale.kernels.correlation import noise_normalised
from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import gram
from cortexscale.kernels.ridge import RidgePath, choose_alpha, ridge_path


@dataclass(frozen=True)
class RidgeSettings:
    """How the mapping is fitted; defaults are the paper's (section 3).

    ``alpha_per`` is ``roi`` (one penalty per subject and ROI) or ``unit``; ``fold_kind`` is ``contiguous`` or ``shuffled``.
    """

    alphas: tuple[float, ...] = tuple(np.logspace(1, 7, 10))
    alpha_per: str = "roi"
    folds: int = 5
    fold_kind: str = "contiguous"
    fold_seed: int = 42
    precision: str = "float64"

    @classmethod
    def from_config(cls, ridge: dict) -> "RidgeSettings":
        """From the ``ridge`` section of a config."""
        grid, folds = ridge["alphas"], ridge["folds"]
        return cls(
            tuple(np.logspace(grid["low"], grid["high"], grid["count"])),
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


def layer_paths(
    store: FeatureStore, layer: str, targets: Sequence[Targets], settings: RidgeSettings, *, folds: bool, test: bool
) -> Iterator[RidgePath]:
    """Ridge path of one layer for all units of each of ``targets``.

    Args:
        folds: hold out the outer folds of the training split.
        test: predict the test split.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = getattr(torch, settings.precision)
    wanted = [np.concatenate([target.train_rows, target.test_rows]) if test else target.train_rows for target in targets]
    for target, kernel in zip(targets, layer_kernels(store, layer, wanted, dtype, device), strict=True):
        n = len(target.train_rows)
        held_out = []
        if folds:
            held_out = k_folds(n, settings.folds, seed=settings.fold_seed if settings.fold_kind == "shuffled" else None)
        yield ridge_path(
            kernel[:n, :n],
            torch.as_tensor(target.train, dtype=dtype, device=device),
            settings.alphas,
            held_out,
            cross=kernel[n:, :n] if test else None,
            Y_test=torch.as_tensor(target.test, dtype=dtype, device=device) if test else None,
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


def chosen_alphas(path: RidgePath, targets: Targets, settings: RidgeSettings) -> np.ndarray:
    """Index of the penalty with the least leave-one-out error, (training sets, groups, units).

    With one penalty per ROI all units of a group have the same.
    """
    if settings.alpha_per == "unit":
        best = choose_alpha(path.loo_error, np.eye(targets.members.shape[1], dtype=bool))
        return np.broadcast_to(best[:, None, :], (best.shape[0], *targets.members.shape))
    best = choose_alpha(path.loo_error, targets.members)
    return np.broadcast_to(best[:, :, None], (*best.shape, targets.members.shape[1]))


def unit_scores(r: np.ndarray, alphas: np.ndarray, nc_percent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson r and noise-normalised r of every (group, unit).

    Args:
        r: (alphas, units) correlations along the path.
        alphas: (groups, units) chosen indices.
        nc_percent: (units,) noise ceiling in percent of variance.
    """
    raw = r[alphas, np.arange(r.shape[1])[None, :]]
    return raw, noise_normalised(raw, nc_percent)


def group_means(values: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Mean over the units of each group, (groups,)."""
    return np.where(members, values, 0).sum(axis=1) / members.sum(axis=1)
