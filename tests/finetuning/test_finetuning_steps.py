"""Order, jitter and dropout change at every step of a fine-tuning, and its settings act on the weights as defined."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch
from finetuning_data import SIZE, pretrained, task
from PIL import Image
from torch import nn

from cortexscale.finetuning import job, lora, own_task
from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.finetuning.tasks import ImageTask, NeuralObjective, NeuralTask
from cortexscale.models.training.data import ArrayImages
from cortexscale.models.training.steps import Steps
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import Jitter, Lora, NeuralRecipe, Recipe
from cortexscale.simulation.images import render

N, LAYER = 24, "norm"
STILL = Jitter(shift=0, rotation=0, scale=0)
UNAUGMENTED = Recipe(steps=1)


@cache
def stimuli() -> tuple[Image.Image, ...]:
    return tuple(Image.fromarray(picture) for picture in render(N, 4, SIZE)[0])


def trials(subjects: Sequence[str] = ("a", "b"), n: int = N) -> list[Trials]:
    rng = np.random.default_rng(0)
    return [Trials(name, np.arange(n), rng.standard_normal((n, 3)).astype(np.float32), {"IT": np.arange(3)}) for name in subjects]


def heads(scale: float = 1.0) -> list[FrozenHead]:
    """Heads of both subjects, which read the flattened layer."""
    with torch.no_grad():
        width = pretrained().network.forward_features(torch.zeros(1, 3, SIZE, SIZE)).flatten(1).shape[1]
    generator = torch.Generator().manual_seed(1)
    weights = [scale * torch.randn(3, width, generator=generator) / width**0.5 for _ in "ab"]
    return [FrozenHead(name, "IT", LAYER, each, torch.zeros(3)) for name, each in zip("ab", weights, strict=True)]


def neural_task(recipe: NeuralRecipe, steps: range = range(2), seed: int = 0) -> NeuralTask:
    backbone = pretrained()
    objective = NeuralObjective(heads(), trials(), "mse", torch.device("cpu"))
    batches = NeuralBatches(trials(), recipe.neural_batch, recipe.micro_batch, seed)
    return NeuralTask(backbone, objective, batches, stimuli(), recipe, steps, seed, 0)


def views(learned: NeuralTask, step: int) -> dict[int, torch.Tensor]:
    """Stimulus -> the input of the network that shows it in a step."""
    seen: list[torch.Tensor] = []
    handle = learned.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    learned.gradient(step)
    handle.remove()
    rows = np.concatenate([forward.rows for forward in learned.batches.forward_passes(step)])
    return dict(zip(rows.tolist(), torch.cat(seen), strict=True))


# ---------------------------------------------------------------------------------------------- from step to step


@pytest.mark.parametrize("micro_batch", [None, 8])
def test_a_stimulus_moves_in_another_way_at_every_step(micro_batch):
    learned = neural_task(NeuralRecipe(neural_batch=N, micro_batch=micro_batch, jitter=Jitter(shift=2)))
    first, second = views(learned, 0), views(learned, 1)
    assert set(first) == set(second) == set(range(N)), "one step shows all stimuli"
    still = {row: learned.backbone.transform(stimuli()[row]) for row in range(N)}
    for row in range(N):
        assert not torch.allclose(first[row], still[row], atol=1e-2)
        assert not torch.allclose(first[row], second[row], atol=1e-2)
    again = neural_task(NeuralRecipe(neural_batch=N, micro_batch=micro_batch, jitter=Jitter(shift=2)), range(1, 2))
    for row, view in views(again, 1).items():
        torch.testing.assert_close(view, second[row])


def test_stimuli_of_one_step_move_independently():
    """Every stimulus is the same picture, so views differ only by their moves, also between forward passes."""
    recipe = NeuralRecipe(neural_batch=N, micro_batch=8, jitter=Jitter(shift=2))
    learned = neural_task(recipe, range(1))
    objective, batches, backbone = learned.objective, learned.batches, learned.backbone
    learned = NeuralTask(backbone, objective, batches, [stimuli()[0]] * N, recipe, range(1), 0, 0)
    moved = torch.stack([view for _, view in sorted(views(learned, 0).items())]).flatten(1)
    distance = torch.cdist(moved, moved) + 1e6 * torch.eye(N)
    assert distance.min() > 1e-2


def test_every_epoch_shows_every_stimulus_in_another_order():
    batches = NeuralBatches(trials(), 8, None, seed=3)
    orders = [np.concatenate([batches.places(3 * epoch + step) for step in range(3)]).tolist() for epoch in range(4)]
    assert batches.epoch_steps == 3 and all(sorted(order) == list(range(N)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4 and orders[0] != list(range(N))
    other = NeuralBatches(trials(), 8, None, seed=4)
    assert [other.places(step).tolist() for step in range(3)] != [batches.places(step).tolist() for step in range(3)]


def image_task(steps: range, seed: int = 0, augmentation: Recipe = UNAUGMENTED, batch: int = 16) -> ImageTask:
    images = ArrayImages(task(64).images, np.arange(64) % 16)
    return ImageTask(pretrained(), images, augmentation, NeuralRecipe(image_batch=batch), steps, seed, 0)


def shown(learned: ImageTask, steps: int) -> list[tuple[bytes, ...]]:
    """The pictures of every step, each as its bytes."""
    return [tuple(picture.numpy().tobytes() for picture in next(learned.batches)[0]) for _ in range(steps)]


def test_every_epoch_shows_every_labelled_image_in_another_order():
    """64 pictures in steps of 16 are four epochs in 16 steps."""
    found = shown(image_task(range(16)), 16)
    epochs = [sum(found[start : start + 4], ()) for start in range(0, 16, 4)]
    pictures = {picture.tobytes() for picture in task(64).images}
    assert len(pictures) == 64 and all(set(epoch) == pictures for epoch in epochs)
    assert len(set(epochs)) == 4
    assert shown(image_task(range(5, 16)), 3) == found[5:8], "a fine-tuning that continues shows what comes next"
    assert shown(image_task(range(16), seed=1), 4) != found[:4]


def test_dropout_differs_between_steps_and_repeats_in_a_second_run():
    """The network puts out dropped ones, so its output is the mask."""

    def masks(seed: int) -> list[torch.Tensor]:
        learned = image_task(range(2), seed)
        learned.network = nn.Sequential(Ones(), nn.Dropout(0.5)).train()
        seen: list[torch.Tensor] = []
        learned.network.register_forward_hook(lambda _, inputs, output: seen.append(output.detach().clone()))
        for step in range(2):
            list(learned.losses(step))
        return seen

    first, second = masks(0)
    assert not torch.equal(first, second)
    assert all(map(torch.equal, masks(0), (first, second))) and not torch.equal(masks(1)[0], first)


class Ones(nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(inputs), 16)


# ---------------------------------------------------------------------------------------------- settings


def tuned(recipe: NeuralRecipe, head: float = 1.0, images: bool = False, **how):
    backbone = pretrained()
    labelled = (task(64), UNAUGMENTED) if images else (None, None)
    course = job.finetune_backbone(backbone, heads(head), trials(), stimuli(), recipe, *labelled, seed=0, **how)
    return backbone, course


def test_weights_without_a_gradient_decay_by_the_weight_decay_of_the_paper_and_biases_too():
    """Heads of zeros make the loss constant, so AdamW multiplies weights by 1 - rate x decay at every step."""
    base, backbone = pretrained().network, tuned(NeuralRecipe(lambda_img=0, neural_batch=N, jitter=STILL), head=0.0)[0]
    rising, falling = 1e-5 * np.arange(1, 6) / 5, 1e-6 + 9e-6 * 0.5 * (1 + np.cos(np.pi * np.arange(15) / 15))
    left = np.prod(1 - 0.05 * np.concatenate([rising, falling]))  # a step in each of 20 epochs
    assert 1 - left > 5e-6
    for name in ("blocks.0.attn.qkv.weight", "blocks.1.mlp.fc1.bias", "blocks.2.norm1.weight", "pos_embed"):
        before, after = (network.get_parameter(name).detach().double() for network in (base, backbone.network))
        np.testing.assert_allclose((after.sum() / before.sum()).item(), left, atol=3e-7)


def test_a_larger_weight_decay_is_used_and_none_is_none():
    """A rate of 0.1 in one epoch of a step: 1 - 0.1 x decay is left."""
    rates = {"epochs": 1, "warmup_epochs": 0, "learning_rate": 0.1, "min_learning_rate": 0.1}
    before = pretrained().network.blocks[0].attn.qkv.weight.detach()
    for decay in (0.0, 0.5):
        recipe = NeuralRecipe(**rates, weight_decay=decay, lambda_img=0, neural_batch=N, jitter=STILL)
        after = tuned(recipe, head=0.0)[0].network.blocks[0].attn.qkv.weight.detach()
        torch.testing.assert_close(after, before * (1 - 0.1 * decay))


def test_the_optimiser_is_adamw_with_the_settings_of_table_s3(monkeypatch):
    made = []
    monkeypatch.setattr(
        job, "Steps", lambda network, optimiser, *rest, **how: made.append(optimiser) or Steps(network, optimiser, *rest, **how)
    )
    backbone, _ = tuned(NeuralRecipe(epochs=1, warmup_epochs=0, lambda_img=0, neural_batch=N, jitter=STILL))
    (optimiser,) = made
    assert type(optimiser) is torch.optim.AdamW
    for group in optimiser.param_groups:
        assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.999), 1e-8, 0.05)
    moved = {id(parameter) for group in optimiser.param_groups for parameter in group["params"]}
    assert moved == {id(parameter) for parameter in backbone.network.parameters()}


@pytest.mark.parametrize("images", [False, True])
def test_the_network_ends_in_eval_mode_and_trains_in_training_mode(images):
    backbone, modes = pretrained(), []
    backbone.network.register_forward_pre_hook(lambda network, _: modes.append(network.training))
    recipe = NeuralRecipe(epochs=2, warmup_epochs=0, neural_batch=N, image_batch=16, lambda_img=float(images), jitter=STILL)
    labelled = (task(64), UNAUGMENTED) if images else (None, None)
    job.finetune_backbone(backbone, heads(), trials(), stimuli(), recipe, *labelled, seed=0)
    assert modes == [True] * (4 if images else 2)
    assert not any(module.training for module in backbone.network.modules())


def test_the_loss_of_an_epoch_is_the_mean_of_its_steps_without_the_weight_of_the_loss():
    """Three steps of 8 stimuli in each of two epochs. The rate is too small to change anything."""
    tiny = {"epochs": 2, "warmup_epochs": 0, "learning_rate": 1e-30, "min_learning_rate": 0, "weight_decay": 0}
    recipe = NeuralRecipe(**tiny, neural_batch=8, lambda_img=0, jitter=STILL)
    _, course = tuned(recipe)
    learned = neural_task(recipe, range(6))
    learned.network.train()
    expected = np.array([learned.gradient(step).item() for step in range(6)])
    assert [epoch["epoch"] for epoch in course["losses"]] == [1, 2] and course["steps"] == 6
    found = [epoch["neural_loss"] for epoch in course["losses"]]
    np.testing.assert_allclose(found, [expected[:3].mean(), expected[3:].mean()], rtol=1e-5)


# ---------------------------------------------------------------------------------------------- adapters


def test_adapters_are_scaled_by_alpha_over_rank():
    """W x + alpha / rank x B A x, with A and B drawn at random. The adapter has no bias."""
    network = pretrained().network
    adapters = lora.Adapters(network, Lora(rank=4, alpha=10), seed=0)
    layer, weight = network.blocks[1].mlp.fc1, pretrained().network.blocks[1].mlp.fc1
    A, B = layer.lora_A["default"], layer.lora_B["default"]
    assert A.bias is None and B.bias is None and A.weight.shape[0] == 4
    nn.init.normal_(B.weight, generator=torch.Generator().manual_seed(2))
    x = torch.randn(5, A.weight.shape[1])
    expected = weight(x) + 10 / 4 * x @ A.weight.T @ B.weight.T
    torch.testing.assert_close(network.eval().blocks[1].mlp.fc1(x), expected)
    adapters.merge()
    torch.testing.assert_close(network.blocks[1].mlp.fc1(x), expected)


def test_adapters_of_the_paper_have_a_scale_of_32_and_a_dropout_of_a_tenth():
    """In training, a tenth of the inputs of an adapter are left out, and the others count 1 / 0.9."""
    network = pretrained().network.train()
    lora.Adapters(network, Lora(), seed=0)
    adapted = {name: module for name, module in network.named_modules() if hasattr(module, "lora_A")}
    assert {name.rpartition(".")[2] for name in adapted} == {"qkv", "fc1", "fc2"} and len(adapted) == 9
    assert all(module.scaling["default"] == 32 / 32 for module in adapted.values())
    for name, module in adapted.items():
        dropped = module.lora_dropout["default"](torch.ones(20_000))
        assert (dropped == 0).float().mean().item() == pytest.approx(0.1, abs=0.01), name
        assert dropped.max().item() == pytest.approx(1 / 0.9, rel=1e-6)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad and "lora_" not in name}
    assert trained == {"head.weight", "head.bias"}


def test_adapters_begin_without_effect_and_depend_on_the_seed():
    x = torch.randn(2, 3, SIZE, SIZE)
    networks = [pretrained().network for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        lora.Adapters(network, Lora(rank=4), seed=seed)
        torch.testing.assert_close(network.eval()(x), pretrained().network(x))
    one, same, other = (network.blocks[0].mlp.fc1.lora_A["default"].weight for network in networks)
    assert torch.equal(one, same) and not torch.equal(one, other)


# ---------------------------------------------------------------------------------------------- accuracies


def test_the_best_order_of_classes_is_chosen_on_other_images():
    """A network that exchanges two classes of four is right on half of the images; the other order makes it right on all."""
    labels = np.repeat(np.arange(4), 50)
    exchanged = np.array([1, 0, 2, 3])[labels]
    assert own_task.reordered_accuracy(exchanged, labels) == 1.0
    assert own_task.reordered_accuracy(labels, labels) == 1.0
    guesses = np.random.default_rng(0).integers(0, 4, 2000)
    assert own_task.reordered_accuracy(guesses, np.repeat(np.arange(4), 500)) == pytest.approx(0.25, abs=0.04)
