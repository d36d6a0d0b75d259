"""Test scores of an attention and a linear readout, as a mean over units."""

import numpy as np
import torch

from cortexscale.kernels.gram import gram
from cortexscale.readouts.linear import linear_fits, linear_scores
from cortexscale.readouts.mapping import fit_readouts, score_readouts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.trials import training_trials
from cortexscale.study.ridge import Ridge

ATTENTION = ReadoutRecipe(
    "attention", width=32, heads=4, latents=8, hidden=8, dropout=0.0, epochs=25, batch=32, learning_rate=5e-3
)


def mean_score(tokens, layers, targets, recipe, seed, *, shared=False):
    trials = training_trials(targets)
    fits = fit_readouts(tokens, dict.fromkeys(trials[0].units, layers), trials, recipe, shared=shared, seed=seed)
    return np.mean([score_readouts(fit, tokens[layers], targets)[0]["pearsonr"].mean() for fit in fits])


def linear_score(tokens, targets):
    flat = tokens.array.reshape(len(tokens.array), -1)
    scores = []
    for target in targets:
        K = gram([flat[np.concatenate([target.train_rows, target.test_rows])]], dtype=torch.float64).K
        scores += [
            linear_scores(fit, target, "l", flat.shape[1])[0]["pearsonr"].mean()
            for fit in linear_fits(K, target, [100], [0], Ridge())
        ]
    return np.mean(scores)
