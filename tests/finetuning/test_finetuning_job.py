"""Fine-tuning as a job: weights and card, kills, adapters, and what goes wrong."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finetuning_data import (
    PRETRAINING,
    RESNET,
    SETTINGS,
    VIT,
    before,
    committed,
    pretrained,
    recordings,
    targets_of,
    write_stimuli,
    write_task,
)
from torch import nn

from cortexscale.errors import InputError
from cortexscale.finetuning import lora
from cortexscale.finetuning.heads import fit_heads
from cortexscale.finetuning.job import finetune
from cortexscale.models.build import build_backbone, load_backbone
from cortexscale.models.model import Model
from cortexscale.models.training import steps
from cortexscale.models.training.data import open_images
from cortexscale.models.training.loop import accuracy
from cortexscale.models.training.steps import CHECK_EVERY
from cortexscale.models.tuning import Tuning
from cortexscale.recipe import Jitter, Lora, NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages, stimulus_table

LAYERS = {"vit": {"V4": "blocks.1", "IT": "norm"}, "resnet": {"V4": "layer2", "IT": "layer4"}}
RECIPE = {"epochs": 2, "warmup_epochs": 1, "image_batch": 16, "neural_batch": 16, "learning_rate": 1e-3}
TUNING = Tuning("base", "full", "d", ("V4", "IT"), None, False, 100, 0)
AUGMENTED = Recipe(epochs=1, crop=0.5, auto_augment="rand-m9-mstd0.5-inc1", color_jitter=0.4, erasing=0.25, mixup=0.8)


def job(root: Path, model: Model = VIT, **changes) -> dict:
    """Arguments of :func:`finetune`, for the world under ``root``."""
    table = stimulus_table("image_folder", root / "stimuli")
    pictures = np.stack([np.asarray(image) for image in StimulusImages("image_folder", root / "stimuli", table)])
    return {
        "base": replace(model, checkpoint=str(root / f"{model.id}.pt")),
        "heads": root / f"{model.id}.heads",
        "targets": targets_of(recordings(pictures, table, 20), table),
        "stimuli": StimulusImages("image_folder", root / "stimuli", table),
        "recipe": NeuralRecipe(**RECIPE),
        "images": str(root / "task.npz"),
        "image_recipe": PRETRAINING,
        "tuning": TUNING,
        "weights": root / "tuned.pt",
        "card": root / "tuned.json",
        "made_by": {"code": "c"},
    } | changes


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A world with two pretrained networks and their heads."""
    root = tmp_path_factory.mktemp("world")
    _, table = write_stimuli(root / "stimuli", 116, seed=5)
    write_task(root / "task.npz", 64)
    for model in (VIT, RESNET):
        torch.save(pretrained(model).network.state_dict(), root / f"{model.id}.pt")
        arguments = job(root, model)
        seen = before(load_backbone(arguments["base"]), arguments["stimuli"], table, model.id)
        layers = committed(LAYERS[model.id])
        fit_heads(seen, arguments["targets"], layers, SETTINGS, arguments["heads"], made_by={})
    return root


def weights_of(path: Path) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in torch.load(path, weights_only=True).values()])


@pytest.mark.parametrize("model", [VIT, RESNET], ids=lambda model: model.id)
def test_weights_and_card(root, tmp_path, model):
    arguments = job(
        root, model, weights=tmp_path / "tuned.pt", card=tmp_path / "tuned.json", tuning=replace(TUNING, percent=50, seed=1)
    )
    began = time.monotonic()
    card = finetune(**arguments)
    assert card["steps"] * card["seconds_per_step"] < time.monotonic() - began
    assert card == json.loads(arguments["card"].read_text())
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["tuned.json", "tuned.pt"]
    assert (card["fitting_samples"], card["subjects"], card["steps"]) == (48, ["s0", "s1"], 6)
    assert card["n_params"] == card["n_trainable_params"] == sum(p.numel() for p in build_backbone(model).network.parameters())
    assert [set(epoch) for epoch in card["losses"]] == [{"epoch", "image_loss", "neural_loss"}] * 2
    assert card["losses"][1]["neural_loss"] < card["losses"][0]["neural_loss"] and card["seconds_per_step"] > 0
    tuned = load_backbone(replace(model, checkpoint=str(arguments["weights"])))
    validation = open_images(root / "task.npz", "val")
    assert accuracy(tuned.network, validation, transform=tuned.transform) == card["task_evaluation_acc"]
    assert accuracy(pretrained(model).network, validation) == card["task_evaluation_acc_before"]
    assert not torch.equal(weights_of(arguments["weights"]), weights_of(root / f"{model.id}.pt"))


def test_without_an_image_loss_no_images_are_needed(root, tmp_path):
    alone = {"recipe": NeuralRecipe(**RECIPE, lambda_img=0), "images": None}
    card = finetune(**job(root, weights=tmp_path / "tuned.pt", card=tmp_path / "tuned.json", **alone))
    assert card["task_evaluation_acc"] is None and set(card["losses"][0]) == {"epoch", "neural_loss"}
    tuned, base = load_backbone(replace(VIT, checkpoint=str(tmp_path / "tuned.pt"))).network, pretrained().network
    for unread in ("head", "fc_norm"):  # behind the committed layers
        assert torch.equal(getattr(tuned, unread).weight, getattr(base, unread).weight)
    assert not torch.equal(tuned.blocks[0].mlp.fc1.weight, base.blocks[0].mlp.fc1.weight)
    with pytest.raises(InputError, match="no labelled images"):
        finetune(**job(root, images=None))


def test_some_subjects_need_their_own_heads_alone(root, tmp_path):
    heads = tmp_path / "heads"
    shutil.copytree(root / "vit.heads", heads)
    chosen = int(np.random.default_rng(4).choice(2, 1)[0])
    shutil.rmtree(heads / f"s{1 - chosen}")
    files = {"weights": tmp_path / "tuned.pt", "card": tmp_path / "tuned.json"}
    assert finetune(**job(root, heads=heads, tuning=replace(TUNING, subjects=1, seed=4), **files))["subjects"] == [f"s{chosen}"]


# ---------------------------------------------------------------------------------------------- kills

KILLED = """
import os, signal, sys
from pathlib import Path
import test_finetuning_job as here
from cortexscale.finetuning.job import finetune
from cortexscale.stimuli import StimulusImages

shown = 0

class Killing(StimulusImages):
    def __getitem__(self, row):
        global shown
        shown += 1
        if shown == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(row)

root, out = map(Path, sys.argv[1:])
arguments = here.everything(root, out, here.{model})
stimuli = arguments["stimuli"]
arguments["stimuli"] = Killing("image_folder", root / "stimuli", here.stimulus_table("image_folder", root / "stimuli"))
finetune(**arguments)
"""


def everything(root: Path, out: Path, model: dict) -> dict:
    """Arguments of a fine-tuning that uses every source of random numbers."""
    adapted = {"lora": Lora(rank=4)} if model is VIT else {"micro_batch": 12}
    recipe = NeuralRecipe(**RECIPE, **adapted)
    files = {"weights": out / "tuned.pt", "card": out / "tuned.json"}
    return job(
        root, model, recipe=recipe, image_recipe=AUGMENTED, tuning=replace(TUNING, percent=90, seed=3, permuted=True), **files
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", [VIT, RESNET], ids=lambda model: model.id)
def test_a_killed_fine_tuning_goes_on_to_the_same_weights(root, tmp_path, model):
    """The run is killed within the second epoch, steps after its last saved state, with adapters or batch normalisation."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    arguments = everything(root, whole, model)
    steps = -(-int(0.9 * 96) // 16)
    assert 1 < steps < CHECK_EVERY
    code = KILLED.replace("{at}", str(int(0.9 * 96) + 40)).replace("{model}", model.id.upper())
    run = subprocess.run([sys.executable, "-c", code, str(root), str(killed)], cwd=Path(__file__).parent)
    assert run.returncode == -9
    state = killed / ".tuned.pt.state"
    assert [path.name for path in killed.iterdir()] == [state.name]
    assert torch.load(state, weights_only=True)["step"] == steps
    resumed = finetune(**everything(root, killed, model) | {"workers": 2})
    expected = finetune(**arguments)
    assert resumed["losses"] == expected["losses"]
    assert torch.equal(weights_of(killed / "tuned.pt"), weights_of(whole / "tuned.pt"))
    assert not state.exists()


def test_a_state_of_another_recipe_is_not_continued(root, tmp_path):
    files = {"weights": tmp_path / "tuned.pt", "card": tmp_path / "tuned.json"}
    first = finetune(**job(root, **files))
    (tmp_path / ".tuned.pt.state").write_bytes(b"cut short")
    assert finetune(**job(root, **files))["losses"] == first["losses"]


def test_a_diverging_fine_tuning_is_an_error_and_keeps_its_last_good_state(root, tmp_path, monkeypatch):
    files = {"weights": tmp_path / "tuned.pt", "card": tmp_path / "tuned.json"}
    monkeypatch.setattr(steps, "learning_rate", lambda recipe, step, steps: 1e-4 if step < 7 else 1e38)
    with pytest.raises(InputError, match=r"before step 12[\s\S]*finite loss[\s\S]*lower the learning rate"):
        finetune(**job(root, **files))
    (left,) = tmp_path.iterdir()
    saved = torch.load(left, weights_only=True)
    assert saved["step"] == 6 and all(value.isfinite().all() for value in saved["network"].values())


# ---------------------------------------------------------------------------------------------- adapters


@pytest.mark.slow
def test_adapters_move_the_layers_they_adapt_and_the_classifier_alone(root, tmp_path):
    recipe = NeuralRecipe(**RECIPE, lora=Lora(rank=4))
    card = finetune(**job(root, recipe=recipe, weights=tmp_path / "tuned.pt", card=tmp_path / "tuned.json"))
    tuned, base = (torch.load(path, weights_only=True) for path in (tmp_path / "tuned.pt", root / "vit.pt"))
    assert list(tuned) == list(base), "a plain state dict of the base architecture"
    moved = {name for name in base if not torch.equal(base[name], tuned[name])}
    adapted = {name for name in base if name.endswith((".qkv.weight", ".fc1.weight", ".fc2.weight"))}
    assert moved == adapted | {"head.weight", "head.bias"} and len(adapted) == 9
    counted = sum(4 * sum(base[name].shape) for name in adapted) + base["head.weight"].numel() + base["head.bias"].numel()
    assert card["n_trainable_params"] == counted < card["n_params"] == sum(value.numel() for value in base.values())
    updates = [tuned[name] - base[name] for name in adapted]
    assert all(torch.linalg.matrix_rank(update, atol=1e-5) <= 4 for update in updates)


def test_merged_adapters_predict_as_before():
    network, x = pretrained().network, torch.randn(5, 3, 16, 16)
    adapters = lora.Adapters(network, Lora(rank=4, train_head=False), seed=0)
    assert not any(p.requires_grad for name, p in network.named_parameters() if "lora_" not in name)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    before = network.eval()(x)
    adapters.merge()
    torch.testing.assert_close(network(x), before, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(pretrained().network(x), before, atol=1e-2)


def test_what_lora_needs_is_said(monkeypatch):
    with pytest.raises(InputError, match="no module qkv, fc1, fc2"):
        lora.Adapters(pretrained(RESNET).network, Lora(), seed=0)
    with pytest.raises(InputError, match="a last linear layer"):
        lora.classifier(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()))
    without_weights = nn.Sequential(nn.Conv2d(3, 4, 1))
    without_weights.get_classifier = nn.Identity  # as timm answers for a network without classes
    with pytest.raises(InputError, match="last linear layer"):
        lora.classifier(without_weights)
    monkeypatch.setitem(sys.modules, "peft.tuners.lora", None)
    with pytest.raises(InputError, match=r"no package peft[\s\S]*pip install"):
        lora.Adapters(pretrained().network, Lora(), seed=0)


def test_the_view_can_be_kept_still(root, tmp_path):
    """Jitter changes what is learned: with and without it the weights differ."""
    out = []
    for number, jitter in enumerate((Jitter(), Jitter(shift=0, rotation=0, scale=0))):
        recipe = NeuralRecipe(**RECIPE, jitter=jitter)
        finetune(**job(root, recipe=recipe, weights=tmp_path / f"{number}.pt", card=tmp_path / f"{number}.json"))
        out.append(weights_of(tmp_path / f"{number}.pt"))
    assert not torch.equal(*out)
