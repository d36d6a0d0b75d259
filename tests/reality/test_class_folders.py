"""Classes have the numbers that a head expects. A base model that does not know its task is noticed before it is fine-tuned."""

import io
import json
import logging
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cortexscale.check.images import check_images_of_finetuning, check_images_of_suite
from cortexscale.check.report import ReportSection
from cortexscale.errors import InputError
from cortexscale.finetuning.own_task import accuracy_before, reordered_accuracy, reported_accuracy, require_outputs
from cortexscale.models.backbone import Backbone
from cortexscale.models.training.data import ArrayImages, open_images
from cortexscale.study.models import Suite


def picture(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (level, level, level)).save(path)


def write(root: Path, names: list[str], splits: tuple[str, ...] = ("train", "val")) -> Path:
    """An image per class and split, whose grey level is the place of the class in ``names``."""
    for split in splits:
        for level, name in enumerate(names):
            picture(root / split / name / "a.png", level)
    return root


def levels(root: Path, split: str = "train") -> list[int]:
    """The grey level of the image of each class, in the order of the classes."""
    images = open_images(root, split)
    return [np.asarray(images[row])[0, 0, 0] for row in np.argsort(images.labels, kind="stable")]


@pytest.mark.parametrize(
    "names",
    [
        [str(number) for number in range(12)],
        [f"{number:03d}" for number in range(12)],
        ["1", "2", "10", "100"],
        ["0", "01", "2", "0003"],
        ["n01", "n1", "n10", "n2"],
        ["0", "1", "10", "2", "dog"],
        ["-1", "1", "10", "2"],
        ["0001_man", "0002_house", "0010_car"],
        ["A", "B", "a", "b"],
    ],
    ids=lambda names: " ".join(names[:4]),
)
def test_numbers_are_in_their_order_and_names_in_that_of_their_characters(tmp_path, names):
    for split in ("train", "val"):
        assert levels(write(tmp_path, names), split) == list(range(len(names)))


@pytest.mark.parametrize(
    "hidden", [".ipynb_checkpoints", "__MACOSX", "@eaDir", ".DS_Store", "lost+found", ".git", "n01~", "$RECYCLE.BIN"]
)
def test_what_systems_leave_behind_is_no_class(tmp_path, hidden):
    write(tmp_path, ["n01", "n02"])
    for split in ("train", "val"):
        picture(tmp_path / split / hidden / "a.png")
        (tmp_path / split / "Thumbs.db").write_bytes(b"x")
        (tmp_path / split / "n01/._a.png").write_bytes(b"\0\5\x16\7")
    images = open_images(tmp_path, "val")
    assert (images.n_classes, images.labels.tolist()) == (2, [0, 1])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1", "01", "2"], "class folders 01 and 1|class folders 1 and 01"),
        (["caf\u00e9", "cafe\u0301"], "look equal"),
    ],
)
def test_two_folders_of_one_class_are_refused(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        open_images(write(tmp_path, names), "train")


def test_train_and_val_must_agree_whatever_the_spelling(tmp_path):
    write(tmp_path, ["caf\u00e9", "tea"], ("train",))
    write(tmp_path, ["cafe\u0301", "tea"], ("val",))
    assert levels(tmp_path, "val") == [0, 1]
    picture(tmp_path / "val/3/a.png")
    with pytest.raises(InputError, match="3 class folders, 2 in train; only one has 3"):
        open_images(tmp_path, "val")


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"a.png": b"", "a.jpg": b"", "a.cls": b"0"}, "two images or two classes of the key a"),
        ({"a.png": b"", "a.cls": b"n01440764"}, "the class b'n01440764' of a"),
        ({"a.png": b"", "a.cls": b"-1"}, "the class b'-1' of a"),
        ({"a.png": b"", "b.cls": b"0"}, "only one of an image and a .cls"),
        ({"a.png": b"", "._a.png": b"x", "__MACOSX/a.cls": b"7", "a.cls": b"3"}, None),
    ],
)
def test_members_of_shards(tmp_path, members, message):
    with tarfile.open(tmp_path / "train-0.tar", "w") as archive:
        for name, content in members.items():
            add(archive, name, content)
    (tmp_path / "._train-0.tar").write_bytes(b"\0\5\x16\7")
    if message:
        with pytest.raises(InputError, match=message):
            open_images(tmp_path, "train")
    else:
        assert open_images(tmp_path, "train").labels.tolist() == [3]


@pytest.mark.parametrize("labels", [np.array([0.0, 1.5]), np.array([-1, 0]), np.array([[0], [1]])])
def test_labels_of_an_npz_are_class_numbers(tmp_path, labels):
    np.savez(tmp_path / "set.npz", train_images=np.zeros((2, 8, 8, 3), np.uint8), train_labels=labels)
    with pytest.raises(InputError, match="class numbers"):
        open_images(tmp_path / "set.npz", "train")


def empty_npz(root: Path) -> Path:
    np.savez(root / "set.npz", train_images=np.zeros((0, 8, 8, 3), np.uint8), train_labels=np.zeros(0, int))
    return root / "set.npz"


def shard(content: bytes, name: str = "train-0.tar"):
    def write_shard(root: Path) -> Path:
        (root / name).write_bytes(content)
        return root

    return write_shard


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (empty_npz, "no images"),
        (shard(bytes(10240)), "no images"),
        (shard(b""), "an empty file"),
        (shard(b"/annex/objects/SHA256E-s1--0.tar"), "a git-annex pointer"),
        (shard(b"<html>"), "an HTML page"),
        (shard(b"\x1f\x8b", "train-0.tar.gz"), r"only train-0\.tar\.gz"),
        (lambda root: root, "an empty folder"),
        (lambda root: root / "none", "nothing"),
    ],
)
def test_what_holds_no_labelled_images_is_told(tmp_path, write, message):
    with pytest.raises(InputError, match=message):
        open_images(write(tmp_path), "train")


# ------------------------------------------------------------------------------------------------------------ check_data


def test_images_of_a_fine_tuning_are_checked_like_those_of_a_suite(tmp_path):
    write(tmp_path, ["n01", "n02", "n03"])
    (tmp_path / "train/.ipynb_checkpoints").mkdir()
    (tmp_path / "val/n03/a.png").write_bytes(b"")
    section = ReportSection("images")
    check_images_of_finetuning(section, str(tmp_path), {"mine": 2, "other": None, "right": 3})
    text = section.text()
    assert "train: 3 images of 3 classes" in text and "3 classes; mine tells 2 apart" in text and "other" not in text
    assert "n03/a.png: an empty file" in text and "passed over 1 hidden files" in text and ".ipynb_checkpoints" in text
    section = ReportSection("images")
    given = {"dataset": "d", "images": str(tmp_path), "expected": 3, "classes": 3, "image_size": 8, "samples_per_class": [0]}
    nets = {"v": {"timm": "test_vit", "layers": ["norm"], "family": "ViT"}}
    check_images_of_suite(section, Suite(source="suite", **given, architectures=nets, recipe={"epochs": 1}))
    assert "n03/a.png: an empty file" in section.text()


# ------------------------------------------------------------------------------------------------- a task that is not known


class Reader(nn.Module):
    """Reads the class of an image off its grey level, by a table of outputs."""

    def __init__(self, outputs: list[int], classes: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.outputs, self.classes = torch.tensor(outputs), classes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = images[:, 0, 0, 0].long().clamp(0, len(self.outputs) - 1)
        return nn.functional.one_hot(self.outputs[level], self.classes).float()


def backbone(outputs: list[int], classes: int | None = None) -> Backbone:
    return Backbone(
        Reader(outputs, classes or len(outputs)), lambda image: torch.tensor(np.asarray(image)).permute(2, 0, 1).float()
    )


def images(n: int, classes: int) -> ArrayImages:
    labels = np.arange(n) % classes
    return ArrayImages(np.tile(labels[:, None, None, None], (1, 4, 4, 3)).astype(np.uint8), labels)


def test_a_model_that_knows_its_task_is_let_through():
    right = list(range(12))
    assert accuracy_before(backbone(right), images(240, 12), "images", "m") == 1
    weak = [0, 1, 2, 3, *(0,) * 8]  # a third is right
    assert accuracy_before(backbone(weak), images(240, 12), "images", "m", reported=0.4) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "outputs",
    [
        [int(name) for name in sorted(map(str, range(12)))],  # the order of ImageFolder for 0, 1, 10, 11, 2 ...
        [*range(1, 12), 0],  # a hidden folder was class 0
        [0] * 12,
    ],
    ids=["alphabetical", "moved by one", "constant"],
)
def test_another_order_of_the_classes_stops_the_fine_tuning(outputs):
    with pytest.raises(InputError, match=r"an accuracy of m of .*\n.*\n.*order of the classes or the preprocessing"):
        accuracy_before(backbone(outputs), images(240, 12), "images", "m")


def test_far_below_its_card_stops_it_too(tmp_path):
    report = tmp_path / "m.training.json"
    report.write_text(json.dumps({"task_evaluation_acc": 0.76}))
    half = [*range(4), *(0,) * 8]
    with pytest.raises(InputError, match=r"33\.33%.*\n.*76\.0% of its card"):
        accuracy_before(backbone(half), images(240, 12), "images", "m", reported_accuracy(report))
    assert reported_accuracy(None) is None


def test_the_right_order_of_a_weak_network_is_not_mistaken():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(100), 20)
    for accuracy in (0.02, 0.05, 0.3, 0.8):
        named = np.where(rng.random(2000) < accuracy, labels, rng.integers(0, 100, 2000))
        assert reordered_accuracy(named, labels) < (named == labels).mean() + 0.01
    assert reordered_accuracy((named + 7) % 100, labels) == pytest.approx(reordered_accuracy(named, labels), abs=0.02)


def test_guessing_is_measured_by_the_most_frequent_class():
    unequal = images(240, 12)
    unequal.labels[:160] = 0
    with pytest.raises(InputError, match=r"guessing reaches"):
        accuracy_before(backbone([0] * 12), unequal, "images", "m")


def test_few_images_warn(caplog):
    with caplog.at_level(logging.WARNING):
        assert accuracy_before(backbone([1, 0]), images(10, 2), "images", "m") == 0
    assert "order of the classes" in caplog.text


def test_outputs_are_classes():
    require_outputs(backbone([0, 1, 2]), 3, "images", "m")
    with pytest.raises(InputError, match=r"4 classes\n.*at most the 3 outputs of m"):
        require_outputs(backbone([0, 1, 2]), 4, "images", "m")
    headless = Backbone(nn.Conv2d(3, 8, 3), backbone([0, 1]).transform)
    with pytest.raises(InputError, match="a base model with a classifier"):
        require_outputs(headless, 2, "images", "m")
