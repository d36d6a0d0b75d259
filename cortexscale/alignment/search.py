"""Layer search: scoring of all candidate layers by nested cross-validation on the training split (paper, section 3)."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cortexscale.alignment.layer import chosen_penalties, group_means, is_constant, layer_fits
from cortexscale.alignment.score_rows import penalty_columns
from cortexscale.alignment.targets import Targets
from cortexscale.features.store import Store
from cortexscale.kernels.correlation import noise_normalised
from cortexscale.study.ridge import Ridge

log = logging.getLogger(__name__)


def search_layers(store: Store, targets: Sequence[Targets], ridge: Ridge) -> pd.DataFrame:
    """Score every layer of a store on every dataset, subject and ROI. The test split is not used.

    ``cv_score`` is noise-normalised Pearson r, averaged over units and then over the outer folds. ``cv_score_sd`` is the standard
    deviation over the folds. ``alpha`` is the penalty chosen on the whole training split. If a layer puts out the same numbers
    for all training stimuli, as a dead layer does, both scores are nan, and a warning names the layer. The same holds for a layer
    whose activations are so small beside the penalties that its predictions do not vary.
    """
    tables = []
    for number, (layer, place) in enumerate(store.layers.items(), start=1):
        for target, (fit, kernel) in zip(targets, layer_fits(store, layer, targets, ridge, folds=True), strict=True):
            folds = group_means(noise_normalised(fit.heldout_r, target.nc_percent[fit.unit]), fit.group)
            if is_constant(kernel):
                log.warning(
                    "layer %s puts out the same numbers for all stimuli of %s: it is dead or constant", layer, target.dataset
                )
                folds = np.full_like(folds, np.nan)
            elif not fit.heldout_r.any():
                remedy = "lower `ridge.alphas: low`, or multiply the output of the layer by a constant"
                log.warning(
                    "layer %s is too small for the penalties, and predicts nothing of %s: %s", layer, target.dataset, remedy
                )
                folds = np.full_like(folds, np.nan)
            tables.append(
                target.groups.assign(
                    layer_name=layer,
                    layer_position=place["position"],
                    layer_position_normalized=place["depth"],
                    cv_score=folds.mean(axis=0),
                    cv_score_sd=folds.std(axis=0, ddof=1),
                    **penalty_columns(*chosen_penalties(fit, ridge), fit.group),
                    n_train=len(target.train_rows),
                )
            )
        log.info("layer %d of %d, %s: mean score %.3f", number, len(store.layers), layer, tables[-1]["cv_score"].mean())
    return pd.concat(tables, ignore_index=True)
