"""Ridge regression from one layer to all responses to a stimulus set, and means over the units of an ROI."""

from collections.abc import Iterator, Sequence

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
from cortexscale.study.ridge import Folds, Ridge


def kernel_dtype(ridge: Ridge, device: torch.device) -> torch.dtype:
    """Return the precision of kernels on a device. ``auto`` means float64 on devices that compute it fast."""
    return working_precision(device) if ridge.precision == "auto" else getattr(torch, ridge.precision)


def held_out(folds: Folds, target: Targets) -> list[np.ndarray]:
    """Return the outer folds, each as the indices of its held-out training stimuli."""
    groups = target.train_concepts if folds.kind == "grouped" else None
    return k_folds(len(target.train_rows), folds.count, seed=None if folds.kind == "contiguous" else folds.seed, groups=groups)


def check_store(store: Store, stimuli_hash: str) -> None:
    """Raise an InputError if a store has the features of another stimulus set."""
    found = store.attributes["identity"]["stimuli"]
    if found != stimuli_hash:
        expected, remedy = f"features of {stimuli_hash}", "delete the store and run again"
        raise InputError(store.path, f"features of stimulus set {found}", expected, remedy)


def layer_fits(
    store: Store,
    layer: str,
    targets: Sequence[Targets],
    ridge: Ridge,
    *,
    folds: bool = False,
    test: bool = False,
    predictions: bool = False,
) -> Iterator[tuple[NestedRidge, GramMatrix]]:
    """Fit ridge regression from one layer to all units of each element of ``targets``. Yield each fit with its kernel.

    With ``folds``, each outer fold of the training split is predicted from the other folds. With ``test``, the test split is
    predicted, and the kernel has the training stimuli followed by the test stimuli. With ``test``, a layer that puts out the
    same numbers for all these stimuli raises an InputError, because it must not have a score.
    """
    device = best_device()
    dtype = kernel_dtype(ridge, device)
    wanted = [np.concatenate([target.train_rows, target.test_rows]) if test else target.train_rows for target in targets]
    for target, kernel in zip(targets, store.kernels(layer, wanted, dtype, device), strict=True):
        n = len(target.train_rows)
        if test and is_constant(kernel):
            raise dead_layer(layer, store.attributes["identity"].get("model"), target.dataset, len(kernel.K))
        fit = nested_ridge(
            kernel.K[:n, :n],
            target.responses,
            ridge.alphas.values,
            held_out(ridge.folds, target) if folds else [],
            cross=kernel.K[n:, :n] if test else None,
            search=ridge.alphas.search,
            alpha_per="unit" if ridge.alpha_per == "unit" else "group",
            predictions=predictions,
        )
        yield fit, kernel


def is_constant(kernel: GramMatrix) -> bool:
    """Tell whether a layer puts out the same numbers for all stimuli of a kernel, up to the rounding of the kernel."""
    least, most = torch.aminmax(kernel.K)
    return bool(most - least <= 100 * torch.finfo(kernel.K.dtype).eps * torch.maximum(-least, most))


def dead_layer(layer: str, model: object, dataset: str, n_stimuli: int) -> InputError:
    """Return the error for a committed layer that puts out the same numbers for all stimuli of a dataset."""
    found = f"the same activations for all {n_stimuli:,} stimuli of {dataset}: the layer is dead or constant"
    remedy = "check the weights of this model; if it uses the committed layers of another model, let its own layers be searched"
    expected = "activations that differ between stimuli, because nothing can be predicted from equal ones"
    return InputError(f"committed layer {layer} of model {model}", found, expected, f"{remedy} (drop `reference`)")


def chosen_penalties(fit: NestedRidge, ridge: Ridge) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays (P,). The first array has the penalty that was chosen for each pair on all training stimuli. The second
    tells whether this penalty is the smallest or the largest of the grid.
    """
    chosen, penalties = fit.chosen[-1], np.asarray(ridge.alphas.values)
    return penalties[chosen], (chosen == 0) | (chosen == len(penalties) - 1)


def group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Average over the units of each group. The values have the shape (..., pairs), and the means (..., groups).

    ``group`` (pairs,) has the number of each pair's group. The numbers ascend from 0 without gaps.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return np.add.reduceat(values, starts, axis=-1) / np.bincount(group)
