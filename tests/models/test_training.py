"""Training: something is learned, kills and processes change nothing, and what goes wrong is said."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cortexscale.errors import InputError
from cortexscale.jobs import plain
from cortexscale.models.inputs import MEAN, STD, as_input
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.training.augment import ffgsm
from cortexscale.models.training.data import ArrayImages, FileImages, open_images
from cortexscale.models.training.job import TrainingJob, train_model
from cortexscale.models.training.loop import accuracy, train_backbone
from cortexscale.models.training.processes import torchrun
from cortexscale.models.training.steps import CHECK_EVERY, TrainingState
from cortexscale.recipe import Attack, Recipe

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 20))
RECIPE = {"steps": 150, "batch": 16, "learning_rate": 2e-2}
EVERYTHING = Recipe(
    steps=3 * CHECK_EVERY,
    batch=8,
    micro_batch=4,
    crop=0.3,
    auto_augment="rand-m9-mstd0.5-inc1",
    erasing=0.3,
    mixup=0.8,
    cutmix=1.0,
    repeats=2,
    ema=0.99,
    clip=1.0,
)
"""Whatever chance has a hand in."""


def test_input_is_normalised():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3)).astype(np.uint8)
    expected = (images / 255 - (0.5, 0.4, 0.3)) / (0.1, 0.2, 0.3)
    found = as_input(images, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    np.testing.assert_allclose(found.permute(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(16, 5))


def weights_of(network: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


@pytest.fixture(scope="module")
def task() -> ArrayImages:
    """Pictures whose mean colour is the label."""
    noise = np.random.default_rng(1).integers(0, 100, (100, 24, 24, 3))
    return ArrayImages((noise + 30 * LABELS[:, None, None, None]).astype(np.uint8), LABELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, task) -> Path:
    root = tmp_path_factory.mktemp("images")
    for row, label in enumerate(task.labels):
        for split in ("train", "val"):
            path = root / split / f"class_{label}" / f"{row:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            task[row].save(path)
    return root


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(**RECIPE),
        Recipe(**RECIPE | {"learning_rate": 0.1}, ema=0.9, smoothing=0.0, loss="binary_cross_entropy"),
        Recipe(**RECIPE | {"learning_rate": 0.1}, optimiser="sgd", clip=1.0, micro_batch=8),
    ],
)
def test_something_is_learned(task, recipe):
    network = small_network()
    before = accuracy(network, task)
    losses = train_backbone(network, task, recipe, image_size=24, seed=0)
    assert not network.training and losses.shape == (150,)
    assert accuracy(network, task) > 0.9 > before + 0.3 and losses[-15:].mean() < 0.8 * losses[:15].mean()


def test_weights_depend_on_the_seed_and_not_on_the_threads(task):
    def trained(seed: int, threads: int) -> torch.Tensor:
        network, before = small_network(), torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            train_backbone(network, task, Recipe(**RECIPE), image_size=24, seed=seed)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        return weights_of(network)

    first = trained(0, 1)
    assert torch.equal(first, trained(0, 2))
    assert not torch.equal(first, trained(1, 1))


def test_files_and_arrays_train_the_same_network(task, folder):
    recipe, files = Recipe(**RECIPE | {"steps": 10}), open_images(folder, "train")
    rows = [int(Path(name.decode()).stem) for name in files.names]
    networks = small_network(), small_network()
    train_backbone(networks[0], files, recipe, image_size=24, seed=0)
    train_backbone(networks[1], task.take(np.array(rows)), recipe, image_size=24, seed=0)
    assert torch.equal(*map(weights_of, networks))


# ---------------------------------------------------------------------------------------------- kills

KILLED = f"""
import os, signal, sys
from pathlib import Path
from test_training import EVERYTHING, small_network
from cortexscale.models.training.data import FileImages
from cortexscale.models.training.loop import train_backbone
from cortexscale.models.training.steps import TrainingState

shown = 0

class Killing(FileImages):
    def __getitem__(self, row):
        global shown
        shown += 1
        if shown == {8 * (CHECK_EVERY + 7) + 3}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(row)

images = Killing(Path(sys.argv[1]), "train")
state = TrainingState(Path(sys.argv[2]), "this", seconds=0)
train_backbone(small_network(), images, EVERYTHING, image_size=24, seed=3, state=state)
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path, folder):
    """The training is killed within a batch, epochs and steps after its last saved state."""
    state = tmp_path / ".weights.pt.state"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(state)], cwd=Path(__file__).parent)
    assert killed.returncode == -9
    assert torch.load(state, weights_only=True)["step"] == CHECK_EVERY
    resumed, whole = small_network(), small_network()
    images = FileImages(folder, "train")
    losses = train_backbone(resumed, images, EVERYTHING, image_size=24, seed=3, workers=1, state=TrainingState(state, "this"))
    expected = train_backbone(whole, images, EVERYTHING, image_size=24, seed=3)
    np.testing.assert_array_equal(losses, expected)
    assert torch.equal(weights_of(resumed), weights_of(whole))


def test_a_state_of_another_training_is_not_continued(tmp_path, task):
    parts = {"network": small_network()}
    TrainingState(tmp_path / "state", "this").save(parts, 7, [1.0])
    assert TrainingState(tmp_path / "state", "this").restore(parts) == (7, [1.0])
    assert TrainingState(tmp_path / "state", "another").restore(parts) == (0, [])
    (tmp_path / "state").write_bytes(b"cut short")
    assert TrainingState(tmp_path / "state", "this").restore(parts) == (0, [])


def test_a_diverging_training_is_an_error_and_keeps_its_last_good_state(tmp_path, task):
    state = TrainingState(tmp_path / "state", "this", seconds=0)
    recipe = Recipe(**RECIPE | {"steps": 100, "learning_rate": 3e37, "warmup": 0.99}, optimiser="sgd")
    network = small_network()
    state.save({"network": network, "optimiser": torch.optim.SGD(network.parameters(), momentum=0.9)}, 0, [])
    with pytest.raises(InputError, match=r"finite loss[\s\S]*lower the learning rate"):
        train_backbone(network, task, recipe, image_size=24, seed=0)
    assert all(value.isfinite().all() for value in torch.load(tmp_path / "state", weights_only=True)["network"].values())


# ---------------------------------------------------------------------------------------------- jobs

BUILDER = TimmBuilder("test_resnet", {"channels": [8, 8, 8, 8], "stem_width": 4}, classes=5)
MODEL = Model("small", "suite", "small", "ResNet", BUILDER, (), "small", samples_per_class=6, seed=0, image_size=24)


def job(out: Path, images: Path, recipe: dict, **changes) -> TrainingJob:
    files = {"weights": out / "small.pt", "report": out / "small.json", "training_set": out / "small.parquet"}
    made = {"model": MODEL, "recipe": Recipe(**recipe), "images": images, "base": None, "workers": 0, "code": "c"}
    return TrainingJob(**files, **made | changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, folder) -> Path:
    """A model of 30 of the files, in one process, two micro-batches a step."""
    out = tmp_path_factory.mktemp("trained")
    train_model(job(out, folder, {"steps": 20, "batch": 16, "micro_batch": 8, "mixup": 0.8, "crop": 0.5}))
    return out


def test_a_job_writes_weights_a_report_and_the_training_set(trained, folder):
    assert sorted(file.name for file in trained.iterdir()) == ["small.json", "small.parquet", "small.pt"]
    report = json.loads((trained / "small.json").read_text())
    assert report["pretraining_n_samples"] == 30 and report["samples_seen"] == 320
    assert 0 <= report["task_evaluation_acc"] <= 1
    listed = pd.read_parquet(trained / "small.parquet")
    assert listed["label"].value_counts().tolist() == [6] * 5
    assert all((folder / name).exists() and f"/class_{label}/" in name for name, label in listed.itertuples(index=False))


@pytest.mark.slow
def test_two_processes_train_the_same_model_as_one(tmp_path, trained, folder):
    task = job(tmp_path, folder, {"steps": 20, "batch": 16, "micro_batch": 8, "mixup": 0.8, "crop": 0.5})
    torchrun(2, "cortexscale.models.training.job", json.dumps(plain(task)), str(tmp_path / "log"))
    one, two = (json.loads((out / "small.json").read_text()) for out in (trained, tmp_path))
    assert two["samples_seen"] == one["samples_seen"]
    assert two["final_loss"] == pytest.approx(one["final_loss"], rel=1e-4)  # over the last two of twenty steps
    one, two = (torch.load(out / "small.pt", weights_only=True) for out in (trained, tmp_path))
    for name in one:
        if "running" not in name and "batches" not in name:  # two processes count half as many micro-batches each
            torch.testing.assert_close(two[name], one[name], rtol=1e-2, atol=1e-3)
    assert "step 20 of 20" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_an_error_in_a_process_ends_all(tmp_path, folder):
    with pytest.raises(SystemExit):
        task = json.dumps(plain(job(tmp_path, folder / "train", {"steps": 2})))
        torchrun(2, "cortexscale.models.training.job", task, str(tmp_path / "log"))
    assert "nothing that holds labelled images" in (tmp_path / "log").read_text()


def test_a_model_is_trained_on_against_attacks(tmp_path, trained, folder):
    attacked = {"steps": 3, "batch": 16, "optimiser": "sgd", "learning_rate": 1e-9, "attack": {"eps": 1, "alpha": 1.25}}
    train_model(job(tmp_path, folder, attacked, base=trained / "small.pt"))
    before, after = (torch.load(out / "small.pt", weights_only=True) for out in (trained, tmp_path))
    for name in before:
        if "running" not in name and "batches" not in name:
            torch.testing.assert_close(after[name], before[name])


def test_other_classes_than_the_config_says_are_refused(tmp_path, folder):
    model = replace(MODEL, builder=replace(BUILDER, classes=6))
    with pytest.raises(InputError, match=r"5 classes\n.*6 classes"):
        train_model(job(tmp_path, folder, {"steps": 1}, model=model))


# ---------------------------------------------------------------------------------------------- attacks


@pytest.mark.parametrize(("eps", "alpha"), [(1, 1.25), (8, 10)])
def test_attacks_stay_within_their_size_and_raise_the_loss(task, eps, alpha):
    network, loss = small_network().train(), nn.CrossEntropyLoss()
    inputs, targets = as_input(task.images), torch.from_numpy(task.labels)
    statistics = network[1].running_mean.clone()
    moved = ffgsm(network, inputs, targets, loss, Attack(eps=eps, alpha=alpha))
    assert network.training and torch.equal(network[1].running_mean, statistics)
    std, mean = (torch.tensor(values).view(1, 3, 1, 1) for values in (STD, MEAN))
    assert ((moved - inputs).abs() * std * 255).max() <= eps * (1 + 1e-3)
    pixels = moved * std + mean
    assert pixels.min() > -1e-5 and pixels.max() < 1 + 1e-5
    with torch.no_grad():
        assert loss(network.eval()(moved), targets) > loss(network(inputs), targets)


def test_a_long_move_ends_in_the_corner():
    """The gradient of a linear network is the same everywhere, and a move of 2 eps passes the far side from any start."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    inputs, targets = torch.randn(4, 3, 2, 2) * 0.1, torch.tensor([0, 1, 0, 1])
    moved = ffgsm(network, inputs, targets, nn.CrossEntropyLoss(), Attack(eps=2, alpha=4))
    weight = network[1].weight
    towards = torch.stack([weight[1 - target] - weight[target] for target in targets]).view_as(inputs).sign()
    torch.testing.assert_close(moved, inputs + towards * 2 / 255 / torch.tensor(STD).view(1, 3, 1, 1))
