"""The plan compares checkpoints, labelled images, layer lists and score tables by content, and ignores where they lie."""

import os
import shutil

import pytest
from example_recording import documented_entry, write_example
from places import ROOT

from cortexscale.jobs import Place, plain
from cortexscale.plan import Plan


@pytest.fixture
def config(tmp_path, monkeypatch):
    write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/mine.pt").write_bytes(b"first")
    mine = {"source": "checkpoint", "id": "mine", "architecture": "resnet18", "classes": 10, "file": "weights/mine.pt"}
    return {"study": "s", "results": "results", "models": [mine], **documented_entry()}


def test_a_replaced_checkpoint_changes_what_its_features_are_made_of(config, tmp_path):
    before = Plan(config).models.weights_contents("mine")
    assert before and Plan(config).models.weights("mine") == []
    (tmp_path / "weights/mine.pt").write_bytes(b"other")
    os.utime(tmp_path / "weights/mine.pt", (1e9, 1e9))
    assert Plan(config).models.weights_contents("mine") != before


def test_a_moved_checkpoint_changes_nothing_that_snakemake_compares(config, tmp_path):
    before = Plan(config)
    contents = before.models.weights_contents("mine")
    shutil.move(tmp_path / "weights", tmp_path / "other_disk")
    config["models"][0]["file"] = "other_disk/mine.pt"
    after = Plan(config)
    assert after.models.weights_contents("mine") == contents
    params = [repr(plain(plan.models.inventory["mine"])) for plan in (before, after)]
    assert params[0] == params[1] and plain(after.models.inventory["mine"])["checkpoint"] == "other_disk/mine.pt"


def test_labelled_images_of_a_suite_count_by_their_names(config, tmp_path):
    for split in ("train", "val"):
        (tmp_path / "task" / split / "a").mkdir(parents=True)
        (tmp_path / "task" / split / "a/1.png").write_bytes(b"")
    before = Plan(config).inputs.names("task")
    assert Plan(config).inputs.names("task") == before
    (tmp_path / "task/train/a/2.png").write_bytes(b"")
    assert Plan(config).inputs.names("task") != before


def test_missing_files_have_a_digest_in_a_plan_without_data(config):
    config["plan_without_data"] = True
    config["models"][0]["file"] = "not/there.pt"
    assert Plan(config).models.weights_contents("mine") == ["missing"]


def test_a_place_is_a_path_in_every_other_respect():
    place = Place("/a/b c.h5")
    assert place == "/a/b c.h5" and repr(place) == repr(Place("/elsewhere")) and str(place) == "/a/b c.h5"
    assert repr([Place("a"), Place("b")]) != repr([Place("a")])


def test_a_file_that_arguments_or_options_name_counts_by_its_content(config, tmp_path):
    (tmp_path / "bad.txt").write_text("7")
    own = {"source": "python", "id": "own", "file": str(ROOT / "docs/example_model.py"), "transform": "transform"}
    config["models"] = [own | {"arguments": {"orientations": 2, "list": ["bad.txt"]}, "family": "Gabor", "layers": ["simple"]}]
    before = Plan(config).models.weights_contents("own")
    (tmp_path / "bad.txt").write_text("7 8")
    assert len(before) == 1 and Plan(config).models.weights_contents("own") != before
