"""Fine-tuning does what is said of it where the truth is known, over seeds.

A network that names objects is fine-tuned on a brain that sees edges, and tested on other pictures (dataset ``a``) and on other
subjects of the same brain who saw other pictures (dataset ``b``), with ridge refitted to the features before and after.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from finetuning_data import PRETRAINING, SETTINGS, SIZE, pretrained, recordings, targets_of, task
from PIL import Image

from cortexscale.alignment.targets import Targets
from cortexscale.finetuning.batches import neural_pairs
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.finetuning.job import finetune_backbone
from cortexscale.finetuning.lora import Adapters
from cortexscale.kernels.gram import gram
from cortexscale.models.backbone import Backbone
from cortexscale.models.inputs import as_input
from cortexscale.models.layers import captured
from cortexscale.models.training.loop import accuracy
from cortexscale.readouts.linear import linear_fits, linear_scores, linear_weights
from cortexscale.recipe import Lora, NeuralRecipe
from cortexscale.simulation.images import render

LAYER, N_TRAIN, N_TEST = "norm", 300, 150
RECIPE = {
    "epochs": 4,
    "warmup_epochs": 1,
    "learning_rate": 5e-3,
    "min_learning_rate": 5e-4,
    "image_batch": 64,
    "neural_batch": 64,
    "lambda_neural": 1,
}


@cache
def dataset(name: str) -> tuple[np.ndarray, Targets]:
    number = "ab".index(name)
    pictures, _ = render(N_TRAIN + N_TEST, 11 + number, SIZE)
    ids = [f"{row:04d}" for row in range(len(pictures))]
    table = pd.DataFrame({"stimulus_id": ids, "concept": "c", "hash": "h"})
    found = recordings(pictures, table, N_TEST, dataset=name, units=20, noise=0.7, first_subject=50 * number)
    (targets,) = targets_of(found, table, ("IT",))
    return pictures, targets


def ridge(backbone: Backbone, name: str):
    """Features of the training stimuli, kernel and fit."""
    pictures, targets = dataset(name)
    with torch.no_grad(), captured(backbone.network.eval(), [LAYER]) as outputs:
        backbone.network(as_input(pictures))
    features = outputs[LAYER].double().numpy()
    K = gram([features[np.concatenate([targets.train_rows, targets.test_rows])]], dtype=torch.float64).K
    (fit,) = linear_fits(K, targets, [100], [0], SETTINGS)
    return features[targets.train_rows], K, fit


def alignment(backbone: Backbone, name: str) -> float:
    features, _, fit = ridge(backbone, name)
    return linear_scores(fit, dataset(name)[1], LAYER, features.shape[1])[0]["pearsonr"].mean()


@cache
def heads() -> tuple[FrozenHead, ...]:
    features, K, fit = ridge(pretrained(), "a")
    targets = dataset("a")[1]
    linear = (linear_weights(K, [features], targets, fit, group) for group in range(len(targets.groups)))
    return tuple(
        FrozenHead(subject, "IT", LAYER, torch.from_numpy(weights), torch.from_numpy(intercept))
        for subject, (weights, intercept) in zip(targets.groups["subject"], linear, strict=True)
    )


def outcome(seed: int | None, *, permuted: bool = False, lambda_img: float = 20, lora: Lora | None = None) -> dict[str, float]:
    """Alignment with both datasets and task accuracy of the base model (no seed) or of a fine-tuned one."""
    backbone = pretrained()
    if seed is not None:
        pictures, targets = dataset("a")
        stimuli = [Image.fromarray(picture) for picture in pictures]
        pairs = neural_pairs([targets], seed=seed, permuted=permuted)
        rate = {"learning_rate": 1e-2, "min_learning_rate": 1e-3} if lora else {}
        recipe = NeuralRecipe(**RECIPE | rate, lambda_img=lambda_img, lora=lora)
        adapters = Adapters(backbone.network, lora, seed) if lora else None
        finetune_backbone(backbone, heads(), pairs, stimuli, recipe, task(), PRETRAINING, seed=seed)
        if adapters:
            adapters.merge()
    names = {name: alignment(backbone, name) for name in "ab"}
    return names | {"task": accuracy(backbone.network, task(2000, 1))}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_responses_teach_what_a_network_lacks_and_noise_does_not(seed):
    base, tuned, permuted = outcome(None), outcome(seed), outcome(seed, permuted=True)
    forgetful = outcome(seed, lambda_img=0)
    assert tuned["a"] > base["a"] + 0.05, "alignment with the brain it was fine-tuned on"
    assert tuned["b"] > base["b"] + 0.05, "transfer to other subjects and pictures"
    assert permuted["a"] < base["a"] and permuted["b"] < base["b"]
    assert base["task"] - tuned["task"] < base["task"] - forgetful["task"] - 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_adapters_learn_from_responses_too(seed):
    base, tuned = outcome(None), outcome(seed, lora=Lora(rank=8))
    assert tuned["a"] > base["a"] + 0.02 and tuned["b"] > base["b"] + 0.02
