"""One step of fine-tuning: views of stimuli, heads, and the gradient of the objective."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from finetuning_data import RESNET, SETTINGS, VIT, before, committed, pretrained, recordings, targets_of, task, write_stimuli
from sklearn.linear_model import RidgeCV
from torch import nn

from cortexscale.errors import InputError
from cortexscale.features.coding import Coding
from cortexscale.finetuning import job
from cortexscale.finetuning.batches import NeuralBatches, neural_pairs
from cortexscale.finetuning.heads import fit_heads, load_heads
from cortexscale.finetuning.tasks import LOSSES, ImageTask, NeuralObjective, NeuralTask, jittered, layer_features, prepare_norms
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import build_backbone, weights_hash
from cortexscale.models.layers import captured
from cortexscale.models.model import TimmBuilder
from cortexscale.readouts.saved import load_readout
from cortexscale.recipe import Jitter, NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages

STILL = Jitter(shift=0, rotation=0, scale=0)
LAYERS = {"V4": "blocks.1", "IT": "norm"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Folder of stimuli, their pictures and table."""
    folder = tmp_path_factory.mktemp("stimuli")
    return folder, *write_stimuli(folder, 160, seed=3)


@pytest.fixture(scope="module")
def heads(world, tmp_path_factory):
    """The heads of two subjects with the same stimuli."""
    folder, pictures, table = world
    targets, out = targets_of(recordings(pictures, table, 40), table), tmp_path_factory.mktemp("heads") / "d"
    images = StimulusImages("image_folder", folder, table)
    scores = fit_heads(before(pretrained(), images, table), targets, committed(LAYERS), SETTINGS, out, made_by={})
    return out, targets, scores


# ---------------------------------------------------------------------------------------------- views


def test_without_jitter_a_stimulus_looks_as_in_evaluation(world, heads):
    folder, _, table = world
    images = StimulusImages("image_folder", folder, table)
    out, targets, _ = heads
    backbone = pretrained()
    trials = neural_pairs(targets)
    batches = NeuralBatches(trials, 50, None, 0)
    objective = NeuralObjective(load_heads(out, targets, weights_hash(backbone.network)), trials, "mse", torch.device("cpu"))
    recipe = NeuralRecipe(jitter=STILL)
    learned = NeuralTask(backbone, objective, batches, images, recipe, range(1), 0, 0)
    seen = []
    backbone.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    learned.gradient(0)
    (forward,) = batches.forward_passes(0)
    expected = torch.stack([backbone.transform(images[row]) for row in forward.rows])
    assert torch.equal(seen[0], expected)
    nearly = jittered(expected, Jitter(shift=1e-9, rotation=0, scale=0), learned.fill, torch.Generator().manual_seed(0))
    torch.testing.assert_close(nearly, expected, atol=1e-4, rtol=0)


# ---------------------------------------------------------------------------------------------- heads


def test_heads_are_ridge_on_unprojected_features(world, heads):
    """scikit-learn's leave-one-out penalty, too, is that with the smallest mean error over units."""
    out, targets, scores = heads
    folder, _, table = world
    (target,), images, backbone = targets, StimulusImages("image_folder", folder, table), pretrained()
    inputs = torch.stack([backbone.transform(image) for image in images])
    with torch.no_grad(), captured(backbone.network, list(LAYERS.values())) as outputs:
        backbone.network(inputs)
    assert len(scores) == 4 and (scores["fitting_samples"] == 120).all()
    shown = np.union1d(target.train_rows, target.test_rows)
    for group, row in enumerate(target.groups.itertuples()):
        x = outputs[LAYERS[row.roi]].numpy().astype(np.float32)
        coding = Coding.of(x[shown].reshape(len(shown), -1))  # heads read features as a store has them
        x = coding.decoded(coding.encoded(x.reshape(len(x), -1))).reshape(x.shape).astype(float)
        y = target.train[:, target.members[group]]
        reference = RidgeCV(alphas=SETTINGS.alphas.values).fit(x[target.train_rows], y)
        readout = load_readout(out / row.subject / f"{row.roi}.safetensors")
        assert readout.facts.alpha[row.subject] == [pytest.approx(reference.alpha_)]
        assert (readout.facts.layer, readout.facts.model, readout.facts.roi) == (LAYERS[row.roi], "vit", row.roi)
        assert readout.facts.training_stimuli[row.subject] == table["stimulus_id"][target.train_rows].tolist()
        expected = reference.predict(x[target.test_rows])
        np.testing.assert_allclose(readout.predict(x[target.test_rows].astype(np.float32)), expected, atol=1e-3)


def test_heads_of_another_model_or_recording_are_refused(world, heads):
    out, targets, _ = heads
    _, pictures, table = world
    own = weights_hash(pretrained().network)
    assert len(load_heads(out, targets, own)) == 4
    with pytest.raises(InputError, match="a head of vit"):
        load_heads(out, targets, "another")
    with pytest.raises(InputError, match="a head of 5 units"):
        load_heads(out, targets_of(recordings(pictures, table, 40, units=8), table), own)
    with pytest.raises(InputError, match="not a saved readout"):
        load_heads(out, targets_of(recordings(pictures, table, 40, subjects=3), table), own)
    assert [head.roi for head in load_heads(out, targets_of(recordings(pictures, table, 40), table, ("IT",)), own)] == ["IT"] * 2


# ---------------------------------------------------------------------------------------------- objective


class Recurrent(nn.Module):
    """A block that runs three times, with a ReLU that works in place behind each step."""

    def __init__(self):
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(4, 5)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(3):
            x = self.relu(self.block(x))
        return self.head(x.mean(dim=(2, 3)))


CONVNEXT = replace(VIT, builder=TimmBuilder("test_convnext2", {"dims": [8, 8, 16, 16], "patch_size": 2}, classes=16))
FAMILIES = {
    "vit": (VIT, ["blocks.0", "blocks.1.attn", "norm"]),
    "resnet": (RESNET, ["layer1", "layer3", "global_pool"]),
    "convnext": (CONVNEXT, ["stages.1.blocks.0", "head.global_pool"]),
    "recurrent": (None, ["stem", "block"]),
}


def small(family: str) -> tuple[Backbone, list[str]]:
    model, layers = FAMILIES[family]
    torch.manual_seed(0)
    backbone = Backbone(Recurrent().eval(), pretrained().transform) if model is None else build_backbone(model)
    return backbone, layers


@pytest.mark.parametrize("family", FAMILIES)
def test_features_are_those_that_are_stored_and_carry_gradients(family):
    backbone, layers = small(family)
    size = 32 if family == "convnext" else 16
    views = torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), captured(backbone.network, layers) as stored:
        backbone.network(views)
    features = layer_features(backbone, layers, views)
    first = next(backbone.network.parameters())
    for layer in layers:
        torch.testing.assert_close(features[layer], stored[layer])
        (gradient,) = torch.autograd.grad(features[layer].square().sum(), first, retain_graph=True)
        assert gradient.abs().max() > 0


def gradient_of(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in network.parameters()])


@pytest.mark.parametrize("own_stimuli", [False, True])
@pytest.mark.parametrize("micro_batch", [None, 7])
def test_a_shared_forward_pass_gives_the_gradient_of_one_per_subject(world, tmp_path, own_stimuli, micro_batch):
    """Eq. 4 is computed word by word: each subject's stimuli alone, squared errors per unit and stimulus, summed over subjects
    and ROIs.
    """
    folder, pictures, table = world
    images, backbone = StimulusImages("image_folder", folder, table), pretrained()
    targets = targets_of(recordings(pictures, table, 40, own_stimuli=own_stimuli), table)
    fit_heads(before(backbone, images, table), targets, committed(LAYERS), SETTINGS, tmp_path / "heads", made_by={})
    linear, trials = load_heads(tmp_path / "heads", targets, weights_hash(backbone.network)), neural_pairs(targets)
    recipe = NeuralRecipe(jitter=STILL, neural_batch=20, micro_batch=micro_batch, lambda_neural=3)
    batches = NeuralBatches(trials, recipe.neural_batch, micro_batch, 0)
    objective = NeuralObjective(linear, trials, "mse", torch.device("cpu"))
    loss = NeuralTask(backbone, objective, batches, images, recipe, range(1), 0, 0).gradient(0)
    found = gradient_of(backbone.network)
    backbone.network.zero_grad()
    expected, places = 0, batches.places(0)
    for subject in trials:
        views = torch.stack([backbone.transform(images[row]) for row in subject.rows[places]])
        features = layer_features(backbone, list(LAYERS.values()), views)
        for head in linear:
            if head.subject == subject.subject:
                measured = torch.from_numpy(subject.responses[places][:, subject.units[head.roi]])
                predicted = features[head.layer] @ head.weights.T + head.intercept
                expected = expected + (measured - predicted).square().sum() / measured.shape[1] / len(places)
    (3 * expected).backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-5, atol=0)
    torch.testing.assert_close(found, gradient_of(backbone.network), rtol=1e-3, atol=1e-4 * float(found.abs().max()))


def test_losses():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((30, 7)), rng.standard_normal((30, 5)) + 3
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    cka = np.linalg.norm(a.T @ b) ** 2 / np.linalg.norm(a.T @ a) / np.linalg.norm(b.T @ b)
    predicted, measured = torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)
    assert LOSSES["cka"](predicted, measured).item() == pytest.approx(1 - cka)
    assert LOSSES["logcka"](predicted, measured).item() == pytest.approx(np.log(1 - cka + 1e-8))
    assert LOSSES["mae"](predicted[:, :5], measured).item() == pytest.approx(np.abs(x[:, :5] - y).mean())
    assert LOSSES["mse"](predicted[:, :5], measured).item() == pytest.approx(((x[:, :5] - y) ** 2).mean())
    for name in ("cka", "logcka"):
        assert LOSSES[name](2 * measured + 1, measured).item() == pytest.approx(LOSSES[name](measured, measured).item())
        (gradient,) = torch.autograd.grad(LOSSES[name](predicted[:1], measured[:1]), predicted)
        assert gradient.isfinite().all(), "a single stimulus has no similarities"


def test_the_logarithm_of_a_perfect_prediction_is_finite():
    """1 - CKA of two stimuli is 0, and rounding makes it negative. A forward pass of a small `micro_batch` may have two."""
    negative = 0
    for seed in range(200):
        x, y = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(seed))
        predicted = x.requires_grad_()
        negative += LOSSES["cka"](predicted, y).item() < -1e-8
        loss = LOSSES["logcka"](predicted, y)
        (gradient,) = torch.autograd.grad(loss, predicted)
        assert np.log(1e-8) - 1e-3 <= loss.item() < np.log(1e-5) and gradient.isfinite().all()
    assert negative > 10, "the case happens"


@pytest.mark.parametrize(("moved_by", "by_images", "by_stimuli"), [("both", 1, 1), ("images", 1, 0), ("frozen", 0, 0)])
def test_batch_norm_moves_as_the_recipe_says(moved_by, by_images, by_stimuli):
    network = pretrained(RESNET).network.train()
    running = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d)).running_mean
    for batch, moves in (("images", by_images), ("stimuli", by_stimuli)):
        before = running.clone()
        prepare_norms(network, moved_by, batch)
        with torch.no_grad():
            network(torch.randn(4, 3, 16, 16))
        assert torch.equal(running, before) != bool(moves)


def test_labelled_images_are_augmented_but_not_mixed():
    backbone = pretrained()
    settings = Recipe(epochs=3, batch=8, mixup=0.8, cutmix=1.0, repeats=3, crop=0.5, auto_augment="3a", color_jitter=0.3)
    recipe = NeuralRecipe(image_batch=24, micro_batch=12, lambda_img=2)
    learned = ImageTask(backbone, task(64), settings, recipe, range(4), 0, 0)
    backbone.network.train()
    seen = []
    handle = backbone.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    loss = learned.gradient(0)
    handle.remove()
    assert [len(inputs) for inputs in seen] == [12, 12] and learned.augment.mix is None
    found = gradient_of(backbone.network)
    again = ImageTask(backbone, task(64), settings, recipe, range(4), 0, 0)
    labels = torch.cat([next(again.batches)[1] for _ in range(2)])
    backbone.network.zero_grad()
    expected = nn.functional.cross_entropy(backbone.network(torch.cat(seen)), labels)
    (2 * expected).backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(found, gradient_of(backbone.network), rtol=1e-3, atol=1e-5)


def test_a_network_without_scores_of_these_classes_is_refused():
    backbone = pretrained()
    images = task(32).take(np.arange(32))
    images.n_classes = 5
    with pytest.raises(InputError, match="scores of 5 classes"):
        ImageTask(backbone, images, Recipe(steps=1), NeuralRecipe(image_batch=8), range(1), 0, 0).gradient(0)


def test_the_learning_rate_rises_for_five_epochs_and_falls_to_its_smallest(world, heads, monkeypatch):
    folder, _, table = world
    out, targets, _ = heads
    rates, backbone = [], pretrained()
    step = torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: rates.append(self.param_groups[0]["lr"]) or step(self))
    recipe = NeuralRecipe(neural_batch=60, lambda_img=0, jitter=STILL)
    arguments = load_heads(out, targets, weights_hash(backbone.network)), neural_pairs(targets)
    images = StimulusImages("image_folder", folder, table)
    course = job.finetune_backbone(backbone, *arguments, images, recipe, None, Recipe(steps=1), seed=0)
    assert course["steps"] == 2 * 20 and len(course["losses"]) == 20
    np.testing.assert_allclose(rates[:10], 1e-5 * np.arange(1, 11) / 10)
    falling = 1e-6 + 9e-6 * 0.5 * (1 + np.cos(np.pi * np.arange(30) / 30))
    np.testing.assert_allclose(rates[10:], falling)
