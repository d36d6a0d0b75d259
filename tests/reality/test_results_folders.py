"""A results folder that would mix results with the checkout, the working directory or raw data is refused before any job."""

import copy
from pathlib import Path

import pytest
import yaml
from places import COMPLETE, ROOT

from cortexscale.errors import InputError, InputErrors
from cortexscale.plan import Plan
from cortexscale.plan.owner import claim, require_place

DEMO = yaml.safe_load(COMPLETE.read_text(encoding="utf-8"))


@pytest.fixture
def study(tmp_path, monkeypatch) -> dict:
    """The demo on released files, in the folder ``study`` with ``raw/tvsd`` in it."""
    (tmp_path / "study/raw/tvsd/monkeyF").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "study")
    config = copy.deepcopy(DEMO) | {"plan_without_data": True}
    del config["simulation"]
    config["datasets"] = {"tvsd": config["datasets"]["tvsd"] | {"path": "raw/tvsd"}}
    config["stimuli"] = {"things": config["stimuli"]["things"] | {"path": "images"}}
    for section in ("mapping", "finetuning", "projection_study"):
        config.pop(section, None)
    return config | {"figures": []}


@pytest.mark.parametrize(
    ("results", "found"),
    [
        (".", "is the folder that Snakemake runs in"),
        ("", "''"),
        ("..", "contains the folder that Snakemake runs in"),
        ("../study", "is the folder that Snakemake runs in"),
        ("/", "contains this checkout"),
        (str(ROOT), "is this checkout"),
        (str(ROOT.parent), "contains this checkout"),
        ("raw/tvsd", r"is the raw data raw/tvsd \(config key datasets.tvsd.path\)"),
        ("raw/tvsd/results", "lies in the raw data raw/tvsd"),
        ("images/results", r"lies in the raw data images \(config key stimuli.things.path\)"),
        ("link/results", "lies in the raw data raw/tvsd"),
        ("notes.txt", "which is a file"),
        ("notes.txt/results", "notes.txt is a file"),
    ],
)
def test_a_folder_that_cannot_hold_results_is_refused(study, results, found):
    Path("notes.txt").touch()
    Path("link").symlink_to("raw/tvsd")
    with pytest.raises(InputError, match=rf"config key results\n.*({found})"):
        Plan(study | {"results": results})


def test_it_is_reported_with_the_other_problems(study):
    with pytest.raises(InputErrors, match=r"2 problems\n1\. config key features[\s\S]*config key results"):
        Plan(study | {"results": ".", "features": {"batch_size": 0}})


@pytest.mark.parametrize("results", ["results", "raw/results", "../elsewhere", "a/b/c", "raw"])
def test_other_folders_are_accepted(study, results):
    Plan(study | {"results": results})


def test_simulated_raw_data_lie_in_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Plan(copy.deepcopy(DEMO)).results == DEMO["results"]


def test_a_folder_where_nothing_can_be_written_is_named(monkeypatch, tmp_path):
    def refused(*_arguments: object, **_keywords: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(InputError, match=r"config key results\n.*nothing can be written: Permission denied"):
        claim(str(tmp_path / "results"), "study")


def test_links_are_followed(tmp_path):
    (tmp_path / "checkout").mkdir()
    Path(tmp_path / "checkout/up").symlink_to(tmp_path)
    with pytest.raises(InputError, match="contains this checkout"):
        require_place(str(tmp_path / "checkout/up"), {"this checkout": tmp_path / "checkout"}, {})
