"""Layer search: which layer predicts a ROI best, by nested cross-validation on the training split (paper, section 3)."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cortexscale.alignment.layer import RidgeSettings, chosen_alphas, group_means, layer_paths, unit_scores
from cortexscale.alignment.targets import Targets
from cortexscale.features.store import FeatureStore

log = logging.getLogger(__name__)


def search_layers(store: FeatureStore, targets: Sequence[Targets], settings: RidgeSettings) -> pd.DataFrame:
    """Score every layer of a store on every dataset, subject and ROI. The test split is not read.

    Returns:
        One row per layer x dataset x subject x ROI: ``layer_name``, ``layer_position``, ``layer_position_normalized``,
        ``benchmark_name``, ``subject``, ``roi``, ``cv_score`` (noise-normalised Pearson r, mean over units, then over the
        outer folds), ``cv_score_sd`` (over folds), ``alpha`` (of the whole training split), ``alpha_at_edge``, ``n_units``,
        ``n_train``.
    """
    tables = []
    for number, (layer, place) in enumerate(store.layers.items(), start=1):
        paths = layer_paths(store, layer, targets, settings, folds=True, test=False)
        for target, path in zip(targets, paths, strict=True):
            best = chosen_alphas(path, target, settings)
            folds = np.stack(
                [
                    group_means(unit_scores(path.heldout_r[:, fold], best[fold], target.nc_percent)[1], target.members)
                    for fold in range(settings.folds)
                ]
            )
            tables.append(
                target.groups.assign(
                    layer_name=layer,
                    layer_position=place["position"],
                    layer_position_normalized=place["depth"],
                    cv_score=folds.mean(axis=0),
                    cv_score_sd=folds.std(axis=0, ddof=1),
                    **alpha_columns(best[-1], target, settings),
                    n_train=len(target.train_rows),
                )
            )
        log.info("layer %d of %d, %s: mean score %.3f", number, len(store.layers), layer, tables[-1]["cv_score"].mean())
    return pd.concat(tables, ignore_index=True)


def alpha_columns(best: np.ndarray, target: Targets, settings: RidgeSettings) -> dict[str, np.ndarray]:
    """Penalty of each group (geometric mean over its units) and the share of its units at an end of the grid."""
    at_edge = (best == 0) | (best == len(settings.alphas) - 1)
    return {
        "alpha": np.exp(group_means(np.log(settings.alphas)[best], target.members)),
        "alpha_at_edge": group_means(at_edge.astype(float), target.members),
    }
