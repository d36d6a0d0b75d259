"""The costs of a step are those that are measured on this machine."""

import time

import numpy as np
import pytest
import torch
from memory import peak_mb

from cortexscale.finetuning.bounds import StepSize, step_bytes, step_seconds
from cortexscale.models.build import untrained
from cortexscale.models.counting import forward_flops, saved_activations
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.training.recipes import epoch_steps

PIXELS, UNITS, TRIALS, IMAGES = 64, 200, 8, 24
BUILDER = TimmBuilder("vit_tiny_patch16_224", {"img_size": PIXELS, "patch_size": 8, "depth": 6}, classes=10)
MODEL = Model("m", "suite", "vit", "ViT", BUILDER, (), reference="m", image_size=PIXELS)
WIDTH = 65 * 192

STEP = f"""
import numpy as np, torch
from PIL import Image
from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.finetuning.tasks import NeuralObjective
from cortexscale.finetuning.tasks import ImageTask, NeuralTask
from cortexscale.models.build import build_backbone
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.training.data import ArrayImages
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import NeuralRecipe, Recipe

torch.set_num_threads(1)
rng = np.random.default_rng(0)
backbone = build_backbone({MODEL})
pictures = rng.integers(0, 256, ({IMAGES}, {PIXELS}, {PIXELS}, 3), dtype=np.uint8)
stimuli = [Image.fromarray(picture) for picture in pictures]
trials = [Trials("s", np.arange({TRIALS}), np.zeros(({TRIALS}, {UNITS}), np.float32), dict(IT=np.arange({UNITS})))]
heads = [FrozenHead("s", "IT", "norm", torch.full(({UNITS}, {WIDTH}), 1e-3), torch.zeros({UNITS}))]
recipe = NeuralRecipe(image_batch={IMAGES}, neural_batch={TRIALS})
batches = NeuralBatches(trials, {TRIALS}, None, 0)
objective = NeuralObjective(heads, trials, "mse", torch.device("cpu"))
tasks = [
    ImageTask(backbone, ArrayImages(pictures, np.arange({IMAGES}) % 10), Recipe(steps=3), recipe, range(3), 0, 0),
    NeuralTask(backbone, objective, batches, stimuli, recipe, range(3), 0, 0),
]
backbone.network.train()
optimiser = torch.optim.AdamW(backbone.network.parameters(), 1e-5, fused=True)

def step(number):
    optimiser.zero_grad()
    for task in tasks:
        task.gradient(number)
    optimiser.step()
"""


def size() -> StepSize:
    backbone, picture = untrained(MODEL)
    params = sum(parameter.numel() for parameter in backbone.network.parameters())
    return StepSize(
        params=params,
        trainable=params,
        flops=forward_flops(backbone.network, picture).products,
        activations=saved_activations(backbone, picture),
        features=WIDTH,
        head_weights=WIDTH * UNITS,
        images=IMAGES,
        trials=TRIALS,
        stimuli=TRIALS,
    )


@pytest.mark.slow
def test_memory_is_predicted():
    """The prediction is within a third of what a step adds to weights and heads."""
    idle, busy = peak_mb(STEP), peak_mb(f"{STEP}\nstep(0)")
    here = size()
    there = 4 * (here.params + here.head_weights)
    assert step_bytes(here, half=False) - there == pytest.approx((busy - idle) * 2**20, rel=1 / 3)


@pytest.mark.slow
def test_time_is_predicted():
    """The prediction from the rate of forward and backward passes here is within a factor of two."""
    scope = {}
    exec(STEP, scope)
    here, network = size(), scope["backbone"].network

    def seconds(work) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    views = torch.zeros(IMAGES, 3, PIXELS, PIXELS)
    step_of_network = min(seconds(lambda: network(views).sum().backward()) for _ in range(3))
    rate = 3 * here.flops * IMAGES / step_of_network
    measured = min(seconds(lambda number=number: scope["step"](number)) for number in range(3))
    predicted = step_seconds(here, forward=rate, gemm=rate, images=1e6)
    assert measured / 2 < predicted < measured * 2


def test_the_formula_follows_its_sizes():
    here = size()
    whole = step_bytes(here, half=False)
    changes = {"activations": 2 * here.activations, "images": 2 * IMAGES, "head_weights": 2 * here.head_weights}
    for name, larger in changes.items():
        assert step_bytes(StepSize(**here.__dict__ | {name: larger}), half=False) > whole
    assert step_bytes(StepSize(**here.__dict__ | {"at_a_time": 8}), half=False) < whole
    assert step_bytes(StepSize(**here.__dict__ | {"trainable": 0.1 * here.params}), half=False) < whole
    assert step_bytes(here, half=True) < whole
    assert step_seconds(here, forward=1e12, gemm=1e12, images=10) == pytest.approx((IMAGES + TRIALS) / 10), "reading takes longer"


@pytest.mark.parametrize(
    ("samples", "batch", "steps"), [(22248, 256, 86), (256, 256, 1), (2700, 256, 11), (2816, 256, 11), (90, 256, 1)]
)
def test_few_steps_keep_the_last_partial_batch(samples, batch, steps):
    assert epoch_steps(samples, batch) == steps


def test_activations_of_a_picture_are_those_that_autograd_keeps():
    """Autograd keeps the input of a linear layer and the output of a ReLU, and not the weights."""
    from cortexscale.models.backbone import Backbone

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(80, 7))
    kept = saved_activations(Backbone(network, np.asarray), torch.zeros(1, 3, 4, 4))
    assert kept == 3 * 16 + 80
