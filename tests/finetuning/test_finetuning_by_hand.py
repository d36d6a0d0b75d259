"""Losses, limits and settings of a fine-tuning, each computed a second time by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from finetuning_data import SIZE, pretrained, task
from PIL import Image
from scipy.stats import binom

from cortexscale.errors import InputError
from cortexscale.finetuning import job, lora, own_task
from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.finetuning.table import finetuning_table
from cortexscale.finetuning.tasks import ImageTask, NeuralTask
from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.training.data import ArrayImages
from cortexscale.models.tuning import TunedModel, Tuning
from cortexscale.models.vision import transforms
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import Jitter, Lora, NeuralRecipe, Recipe
from cortexscale.simulation.images import render
from cortexscale.stores import write_table

N = 16
STILL = Jitter(shift=0, rotation=0, scale=0)
STIMULI = [Image.fromarray(picture) for picture in render(N, 4, SIZE)[0]]
TINY = {"epochs": 1, "warmup_epochs": 0, "learning_rate": 1e-30, "min_learning_rate": 0, "weight_decay": 0, "neural_batch": N}


def heads(width: int) -> list[FrozenHead]:
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(3, width, generator=generator) / width**0.5 for _ in "ab"]
    return [FrozenHead(name, "IT", "norm", each, torch.full((3,), 2.0)) for name, each in zip("ab", weights, strict=True)]


def trials() -> list[Trials]:
    rng = np.random.default_rng(0)
    return [Trials(name, np.arange(N), rng.normal(1, 1, (N, 3)).astype(np.float32), {"IT": np.arange(3)}) for name in "ab"]


@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_the_loss_of_a_recipe_is_the_mean_of_errors_summed_over_subjects(loss):
    backbone = pretrained()
    with torch.no_grad():
        inputs = torch.stack([backbone.transform(picture) for picture in STIMULI])
        kept = []
        handle = backbone.network.norm.register_forward_hook(lambda module, _, output: kept.append(output.flatten(1)))
        backbone.network.eval()(inputs)
        handle.remove()
        (features,) = kept
    linear, seen = heads(features.shape[1]), trials()
    errors = [features @ head.weights.T + 2 - torch.from_numpy(of.responses) for head, of in zip(linear, seen, strict=True)]
    expected = sum((error.abs() if loss == "mae" else error.square()).mean().item() for error in errors)
    course = job.finetune_backbone(
        backbone, linear, seen, STIMULI, NeuralRecipe(**TINY, loss=loss, lambda_img=0, jitter=STILL), None, None, seed=0
    )
    assert course["losses"][0]["neural_loss"] == pytest.approx(expected, rel=1e-3)
    assert course["steps"] == 1


def test_batches_of_stimuli_have_the_sizes_of_the_recipe_and_an_order_of_the_seed(monkeypatch):
    given, batches = [], job.NeuralBatches
    monkeypatch.setattr(job, "NeuralBatches", lambda trials, *how: given.append(how) or batches(trials, *how))
    recipe = NeuralRecipe(**TINY | {"neural_batch": 8}, micro_batch=4, lambda_img=0, jitter=STILL)
    for seed in (3, 4):
        job.finetune_backbone(pretrained(), heads(16 * 32), trials(), STIMULI, recipe, None, None, seed=seed)
    assert given == [(8, 4, 3), (8, 4, 4)]


def test_images_are_normalised_as_by_the_transform_of_their_network_and_grey_beyond_stimuli():
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    steps = [transforms.Resize(SIZE), transforms.ToTensor(), transforms.Normalize(mean, std)]
    backbone = Backbone(pretrained().network, transforms.Compose(steps))
    labelled = ArrayImages(task(32).images, np.arange(32) % 16)
    images = ImageTask(backbone, labelled, Recipe(steps=1), NeuralRecipe(image_batch=8), range(1), 0, 0)
    assert images.augment.mean == pytest.approx(mean, abs=1e-6) and images.augment.std == pytest.approx(std, abs=1e-6)
    batches = NeuralBatches(trials(), N, None, 0)
    stimuli = NeuralTask(backbone, None, batches, STIMULI, NeuralRecipe(), range(1), 0, 0)
    grey = np.asarray(GREY)[0, 0] / 255
    assert stimuli.fill.tolist() == pytest.approx(((grey - mean) / std).tolist(), abs=1e-6)
    assert (images.weight, stimuli.weight) == (0.1, 100), "the weights of Table S3"


# ---------------------------------------------------------------------------------------------- the task of a base model


def judged(monkeypatch, right: int, n: int, reported: float | None = None, classes: int = 4) -> float:
    """Accuracy of a network that names ``right`` of n images right, and others at random."""
    labels = np.arange(n) % classes
    named = labels.copy()
    wrong = np.random.default_rng(0).permutation(n)[right:]
    named[wrong] = (labels[wrong] + np.random.default_rng(1).integers(1, classes, len(wrong))) % classes
    monkeypatch.setattr(own_task, "classes_named", lambda *given, **how: named)
    images = ArrayImages(np.zeros((n, 1, 1, 3), np.uint8), labels)
    return own_task.accuracy_before(pretrained(), images, "here", "base", reported)


def test_a_base_model_must_be_better_than_guessing_on_at_least_100_images(monkeypatch, caplog):
    """Guessing reaches the accuracy with a probability of at most a thousandth."""
    least = next(k for k in range(100) if binom.sf(k - 1, 100, 0.25) <= 1e-3)
    assert judged(monkeypatch, least, 100) == least / 100
    with pytest.raises(InputError, match=r"more than the 25\.00% that guessing reaches"):
        judged(monkeypatch, least - 1, 100)
    assert judged(monkeypatch, 10, 99) == 10 / 99 and "that guessing reaches" in caplog.text, "only a warning"


def test_a_base_model_must_reach_half_of_the_accuracy_on_its_card(monkeypatch):
    assert judged(monkeypatch, 90, 200, reported=0.9) == 0.45
    with pytest.raises(InputError, match=r"about the 90\.0% of its card"):
        judged(monkeypatch, 89, 200, reported=0.9)


def test_other_orders_are_not_tried_for_many_classes(monkeypatch):
    monkeypatch.setattr(own_task, "MANY", 5)
    for classes, found in ((5, 1.0), (6, 0.0)):
        labels = np.arange(60) % classes
        assert own_task.reordered_accuracy((labels + 1) % classes, labels) == found


# ---------------------------------------------------------------------------------------------- adapters and tables


def test_adapters_are_in_the_layers_that_are_asked_for_and_the_classifier_stays_if_asked_for():
    network = pretrained().network
    lora.Adapters(network, Lora(rank=4, targets=("fc1", "qkv"), train_head=False), seed=0)
    adapted = {name for name, module in network.named_modules() if hasattr(module, "lora_A")}
    assert adapted == {f"blocks.{block}.{name}" for block in range(3) for name in ("attn.qkv", "mlp.fc1")}
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trained and all(".lora_" in name for name in trained)


def test_a_base_model_has_the_accuracy_that_was_measured_before_its_fine_tuning(tmp_path):
    """Without a measurement it is that of the card."""
    tuning = Tuning("base", "full", "nsd", ("early", "ventral"), 3, False, 30, 1)
    tuned = TunedModel(tuning, NeuralRecipe(lora=Lora(rank=8)), ("data_pct", "lora"))
    other = TunedModel(replace(tuning, base="card", subjects=None), NeuralRecipe(), ("data_pct",))
    facts = {
        "fitting_samples": 2700,
        "subjects": ["s"],
        "n_trainable_params": 5,
        "task_evaluation_acc": 0.6,
        "task_evaluation_acc_before": 0.7,
    }
    for name, known in (("run", facts), ("other", facts | {"task_evaluation_acc": None, "task_evaluation_acc_before": None})):
        (tmp_path / f"{name}.json").write_text(pd.Series(known).to_json(), encoding="utf-8")
    cards = pd.DataFrame({"model_id": ["base", "card"], "backbone_arch": ["v", "w"], "task_evaluation_acc": [0.1, 0.8]})
    write_table(cards, tmp_path / "cards.parquet", {})
    scores = pd.DataFrame({"model_id": ["base+baseline", "card+baseline", "run", "other"], "pearsonr_nc": [0.1, 0.2, 0.3, 0.4]})
    scores = scores.assign(benchmark_name="nsd", subject="s")
    write_table(scores, tmp_path / "scores.parquet", {})
    files = [tmp_path / "run.json", tmp_path / "other.json"]
    shown = {"benchmark_name": "nsd", "subject": "s", "split": ["train"] * 9 + ["test"], "hash": list("abcdefghij")}
    models, images = {"run": tuned, "other": other}, pd.DataFrame(shown)
    table = finetuning_table([tmp_path / "scores.parquet"], files, tmp_path / "cards.parquet", models, images, set())
    found = table.set_index(["exp_type", "model_id"])
    assert found["task_evaluation_acc"].dropna().to_dict() == {
        ("finetuning_baseline", "base"): 0.7,
        ("finetuning_baseline", "card"): 0.8,
        ("finetuning_data_pct", "run"): 0.6,
        ("finetuning_lora", "run"): 0.6,
    }
    row = found.loc[("finetuning_lora", "run")]
    told = {"finetuning_regions": "early_ventral", "finetuning_subjects": "randsubj_3", "data_pct": 30, "fitting_samples": 2700}
    told |= {"seed": 1, "lora_rank": 8, "lora_alpha": 32, "lora_dropout": 0.1, "arch": "v", "epochs": 20, "learning_rate": 1e-5}
    assert row[list(told)].to_dict() == told
    row = found.loc[("finetuning_data_pct", "other")]
    assert row["finetuning_subjects"] == "all" and np.isnan(row["lora_rank"]) and row["arch"] == "w"
