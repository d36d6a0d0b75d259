"""Steps, averages, seeds and reports of a training, against the same training typed with torch's own means."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cortexscale.models.inputs import as_input
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.training import augment, job, loop
from cortexscale.models.training.augment import BatchAugmentation, criterion, image_transform
from cortexscale.models.training.data import ArrayImages, subset_indices
from cortexscale.models.training.loop import accuracy, train_backbone
from cortexscale.models.training.order import MICRO_BATCH, MicroBatches, Order, seed_everything, seed_of
from cortexscale.models.training.recipes import learning_rate, training_length
from cortexscale.recipe import Recipe

N, SIZE, CLASSES = 40, 6, 4
LABELS = np.arange(N) % CLASSES
IMAGES = ArrayImages(np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE, 3)).astype(np.uint8), LABELS)


class Network(nn.Module):
    """A linear network with a position embedding, dropout, and a note of its modes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.pos_embed = nn.Parameter(torch.ones(1, 3 * SIZE**2))  # a matrix, which would otherwise decay
        self.dropout, self.head = nn.Dropout(0.25), nn.Linear(3 * SIZE**2, CLASSES)
        self.modes: list[bool] = []

    def no_weight_decay(self) -> set[str]:
        return {"pos_embed"}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        return self.head(self.dropout(x.flatten(1) * self.pos_embed))


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def typed(recipe: Recipe, seed: int, steps: int) -> tuple[Network, list[torch.Tensor], list[float]]:
    """Train by hand: one micro-batch after the other. Return the network, its weights after every step, and the losses."""
    network = Network().train()
    decayed, others = [network.head.weight], [network.pos_embed, network.head.bias]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if recipe.optimiser == "sgd":
        optimiser: torch.optim.Optimizer = torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9)
    else:
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    warmup, order = round(recipe.warmup * steps), Order(N, seed, recipe.repeats)
    history, losses = [], []
    for step in range(steps):
        rising = recipe.learning_rate * (step + 1) / warmup if step < warmup else None
        done = (step - warmup) / (steps - warmup)
        left = 0.5 * (1 + np.cos(np.pi * done)) if recipe.decay == "cosine" else 1 - done
        falling = recipe.min_learning_rate + (recipe.learning_rate - recipe.min_learning_rate) * left
        for group in optimiser.param_groups:
            group["lr"] = falling if rising is None else rising
        optimiser.zero_grad()
        total = 0.0
        for part in range(2):
            start = (2 * step + part) * 8
            rows = order.rows(start, start + 8)
            seed_everything(seed_of(seed, MICRO_BATCH, step, part))
            mirrored = torch.rand(8) < 0.5
            pixels = torch.from_numpy(IMAGES.images[rows])
            inputs = as_input(torch.where(mirrored[:, None, None, None], pixels.flip(2), pixels).numpy())
            found = F.cross_entropy(network(inputs), torch.from_numpy(LABELS[rows]), label_smoothing=recipe.smoothing)
            (found / 2).backward()
            total += found.item() / 2
        if recipe.clip:
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimiser.step()
        history.append(weights(network).clone())
        losses.append(total)
    return network.eval(), history, losses


PLAIN = {"steps": 10, "batch": 16, "micro_batch": 8, "learning_rate": 0.05, "min_learning_rate": 0.01, "warmup": 0.3}


@pytest.mark.parametrize(
    "changes",
    [
        {"weight_decay": 0.3, "smoothing": 0.0},
        {"optimiser": "sgd", "clip": 0.2, "decay": "linear", "repeats": 2},
    ],
)
def test_a_training_is_the_plain_loop(changes):
    """Weights decay, but not biases and position embeddings. A step has two micro-batches, whose gradients are averaged."""
    recipe, network = Recipe(**PLAIN | changes), Network()
    losses = train_backbone(network, IMAGES, recipe, image_size=SIZE, seed=5)
    expected, _, expected_losses = typed(recipe, 5, 10)
    assert set(network.modes) == {True} and not network.training
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    torch.testing.assert_close(weights(network), weights(expected), rtol=1e-4, atol=1e-6)


def test_the_result_of_a_training_with_ema_is_the_average_of_its_weights():
    """After step t the average moves towards the weights by the larger of 1 - 0.6 and t**(-2/3), as timm warms it up."""
    recipe, network = Recipe(**PLAIN, ema=0.6), Network()
    train_backbone(network, IMAGES, recipe, image_size=SIZE, seed=5)
    raw, history, _ = typed(Recipe(**PLAIN), 5, 10)
    average = weights(Network())
    for step, after in enumerate(history, start=1):
        average += max(0.4, step ** (-2 / 3)) * (after - average)
    torch.testing.assert_close(weights(network), average, rtol=1e-4, atol=1e-6)
    assert (weights(network) - weights(raw)).abs().max() > 1e-3, "they differ from the last weights"


def test_accuracy_is_that_of_the_network_in_eval_mode():
    network = Network().train()
    named = np.concatenate([network.eval()(as_input(IMAGES.images[row : row + 1])).argmax(1).numpy() for row in range(N)])
    network.train()
    assert accuracy(network, IMAGES, batch=7) == (named == LABELS).mean()
    assert not network.training


# ---------------------------------------------------------------------------------------------- settings


def used(monkeypatch, module, name: str) -> list[tuple[tuple, dict]]:
    """Note the arguments with which a function of a module is called."""
    calls, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given, **named: calls.append((given, named)) or function(*given, **named))
    return calls


def test_settings_of_a_training_reach_what_they_set(monkeypatch):
    attacks, depths = used(monkeypatch, loop, "ffgsm"), []
    monkeypatch.setattr(loop, "set_drop_path", lambda network, rate: depths.append(rate))
    recipe = Recipe(**PLAIN | {"steps": 2}, attack={"eps": 2, "alpha": 3}, drop_path=0.1)
    train_backbone(Network(), IMAGES, recipe, image_size=SIZE, seed=0)
    assert depths == [0.1] and [given[-1].alpha for given, _ in attacks] == [3] * 4


def test_images_are_cropped_and_coloured_as_the_recipe_says(monkeypatch):
    calls = used(monkeypatch, augment.timm.data, "create_transform")
    image_transform(Recipe(steps=1, crop=0.3, color_jitter=0.4, interpolation="bicubic", auto_augment="3a"), 8)
    image_transform(Recipe(steps=1), 8)
    cropped, plain = (named for _, named in calls)
    assert (cropped["scale"], cropped["ratio"]) == ((0.3, 1.0), (3 / 4, 4 / 3)) and (plain["scale"], plain["ratio"]) == (
        (1, 1),
        (1, 1),
    )
    assert (cropped["interpolation"], plain["interpolation"]) == ("bicubic", "bilinear")
    assert (cropped["color_jitter"], plain["color_jitter"]) == (0.4, None)
    assert (cropped["auto_augment"], plain["auto_augment"]) == ("3a", None)
    assert (cropped["hflip"], plain["hflip"]) == (0, 0), "micro-batches are mirrored"


def test_micro_batches_are_mirrored_erased_and_mixed_as_the_recipe_says(monkeypatch):
    device, pixels = torch.device("cpu"), torch.from_numpy(IMAGES.images)
    torch.manual_seed(0)
    plain, _ = BatchAugmentation(Recipe(steps=1), CLASSES, device)(pixels, torch.from_numpy(LABELS))
    still, flipped = as_input(IMAGES.images), as_input(IMAGES.images[:, :, ::-1].copy())
    is_flipped = torch.isclose(plain, flipped).flatten(1).all(dim=1)
    assert (is_flipped | torch.isclose(plain, still).flatten(1).all(dim=1)).all() and 8 < is_flipped.sum() < 32
    erased = BatchAugmentation(Recipe(steps=1, erasing=0.25), CLASSES, device)
    assert erased.erase.probability == 0.25 and erased.erase.rand_color is False and erased.erase.per_pixel is True
    mixed = BatchAugmentation(Recipe(steps=1, mixup=0.8, cutmix=1.0, smoothing=0.2), CLASSES, device).mix
    assert (mixed.mixup_alpha, mixed.cutmix_alpha, mixed.label_smoothing, mixed.num_classes) == (0.8, 1.0, 0.2, CLASSES)
    assert BatchAugmentation(Recipe(steps=1), CLASSES, device).mix is None


def test_labels_are_smoothed_once():
    """Every class gets s / classes, and the right one 1 - s more. Mixed labels were smoothed when they were mixed."""
    outputs, labels = torch.randn(5, CLASSES), torch.arange(5) % CLASSES
    smoothed = 0.2 / CLASSES + 0.8 * F.one_hot(labels, CLASSES)
    expected = -(smoothed * outputs.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(criterion(Recipe(steps=1, smoothing=0.2))(outputs, labels), expected)
    mixes = criterion(Recipe(steps=1, smoothing=0.2, mixup=0.8))
    torch.testing.assert_close(mixes(outputs, smoothed), expected)
    binary = criterion(Recipe(steps=1, smoothing=0.0, loss="binary_cross_entropy"))
    torch.testing.assert_close(
        binary(outputs, labels), F.binary_cross_entropy_with_logits(outputs, F.one_hot(labels, CLASSES).float())
    )


def test_images_and_micro_batches_are_augmented_in_another_way_in_every_step(monkeypatch):
    """Seeds depend on the place in the training: no two of them are equal, and another training has others."""

    def seeds(seed: int) -> list[int]:
        with pytest.MonkeyPatch.context() as patch:
            found = used(patch, loop, "seed_everything")
            train_backbone(Network(), IMAGES, Recipe(**PLAIN), image_size=SIZE, seed=seed)
        return [given[0] for given, _ in found]

    assert len(set(seeds(0))) == 20 and not set(seeds(0)) & set(seeds(1)) and seeds(0) == seeds(0)


def test_every_epoch_shows_all_images_in_another_order_or_a_part_of_them_repeatedly():
    def epochs(seed: int, repeats: int) -> list[tuple[int, ...]]:
        rows = Order(N, seed, repeats).rows(0, 4 * N).tolist()
        return [tuple(rows[start : start + N]) for start in range(0, 4 * N, N)]

    assert all(sorted(epoch) == list(range(N)) for epoch in epochs(0, 1)) and len(set(epochs(0, 1))) == 4
    assert not set(epochs(0, 1)) & set(epochs(1, 1)) and epochs(0, 1) == epochs(0, 1)
    for epoch in epochs(0, 2):
        assert epoch[::2] == epoch[1::2] and len(set(epoch)) == N / 2, "each of half of the images, twice in a row"
    assert len({frozenset(epoch) for epoch in epochs(0, 2)}) == 4, "another half in every epoch"


def test_an_image_is_augmented_in_another_way_in_every_epoch():
    files = ArrayImages(np.tile(IMAGES.images[:1], (4, 1, 1, 1)), np.zeros(4, int))
    recipe = Recipe(steps=3, batch=4, crop=0.1)
    batches = loop.training_batches(
        files, MicroBatches(Order(4, 0), training_length(recipe, 4)), recipe, SIZE, 0, 0, torch.device("cpu")
    )
    seen = torch.cat([pixels for pixels, _ in batches])
    assert len(seen) == 12 and len(torch.unique(seen.flatten(1), dim=0)) >= 10


# ---------------------------------------------------------------------------------------------- lengths and rates


def test_the_last_epoch_is_completed():
    """Three epochs of 40 images in steps of 16 are 7.5 steps, and the training takes 8."""
    assert training_length(Recipe(epochs=3, batch=16), N).steps == 8
    assert training_length(Recipe(epochs=3, batch=64), N).batch == N, "a batch has at most all images"


@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_the_rate_rises_to_its_largest_and_falls_towards_its_smallest(decay):
    recipe = Recipe(steps=100, learning_rate=1.0, min_learning_rate=0.2, warmup=0.2, decay=decay)
    rates = [learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)]) and rates[20] == 1
    assert rates[60] == pytest.approx(0.6), "half of the way down"
    assert rates[40] == pytest.approx(0.2 + 0.8 * (0.5 + 0.5 * 0.5**0.5) if decay == "cosine" else 0.8)
    last = 0.5 * (1 - np.cos(np.pi / 80)) if decay == "cosine" else 1 / 80
    assert rates[-1] == pytest.approx(0.2 + 0.8 * last)


# ---------------------------------------------------------------------------------------------- the job


def test_a_report_is_of_the_right_images_losses_and_counts(tmp_path, monkeypatch):
    """The training itself is left out: its losses are 0 to 39."""
    splits = {"train": IMAGES.images, "validation": IMAGES.images[:30]}
    labels = {"train": LABELS, "validation": np.arange(30) % CLASSES}
    arrays = {f"{name}_images": images for name, images in splits.items()} | {f"{name}_labels": of for name, of in labels.items()}
    np.savez(tmp_path / "set.npz", **arrays)
    losses, checked = np.arange(40.0), []
    monkeypatch.setattr(job, "train_backbone", lambda *given, **named: losses)
    monkeypatch.setattr(job, "accuracy", lambda network, images, **named: checked.append(len(images.labels)) or 0.625)
    builder = TimmBuilder("test_resnet", {"channels": [8, 8, 8, 8], "stem_width": 4}, classes=CLASSES)
    found = {}
    for seed in (0, 1):
        model = Model("small", "suite", "small", "ResNet", builder, (), "small", samples_per_class=5, seed=seed, image_size=SIZE)
        files = {name: tmp_path / f"{name}{seed}" for name in ("weights", "report", "training_set")}
        job.train_model(
            job.TrainingJob(model, Recipe(steps=40, batch=8), tmp_path / "set.npz", None, **files, workers=0, code="c")
        )
        found[seed] = (json.loads(files["report"].read_text(encoding="utf-8")), files)
    report, files = found[0]
    assert checked == [30, 30], "accuracy is that on validation images"
    assert (report["task_evaluation_acc"], report["pretraining_n_samples"], report["samples_seen"]) == (0.625, 20, 320)
    assert report["final_loss"] == pytest.approx(np.mean([36, 37, 38, 39])), "the mean of the last tenth of the steps"
    images = [set(pd.read_parquet(of["training_set"])["image"]) for _, of in found.values()]
    assert images == [{str(row) for row in subset_indices(LABELS, 5, seed)} for seed in (0, 1)]
    first, second = (torch.load(of["weights"], weights_only=True) for _, of in found.values())
    assert not torch.equal(first["fc.weight"], second["fc.weight"]), "weights at the beginning depend on the seed"
