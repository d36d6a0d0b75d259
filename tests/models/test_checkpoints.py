"""Checkpoints in the structures that trainers write: the right weights are loaded whole, and nothing in a file is ever run."""

import os
import re
import subprocess
import sys
import types
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from scripts import script
from torch import nn

from cortexscale.errors import InputError
from cortexscale.models import spvvs
from cortexscale.models.checkpoint_files import read_checkpoint
from cortexscale.models.checkpoints import load_weights
from cortexscale.plan import Plan


def network(seed: int = 0, width: int = 8, classes: int = 10) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(3, width, 3), norm=nn.BatchNorm2d(width), pool=nn.Flatten(), head=nn.Linear(width, classes))
    )


def prefixed(trained: nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return OrderedDict((prefix + key, tensor) for key, tensor in trained.state_dict().items())


def composer(raw: nn.Module, average: dict[str, torch.Tensor] | None = None) -> dict:
    """What a MosaicML Composer trainer saves, with objects of packages that are not installed here."""
    foreign = types.ModuleType("torchmetrics_of_then")
    sys.modules[foreign.__name__] = foreign
    for name, kind in {
        "Accuracy": type("Accuracy", (nn.Module,), {}),
        "Unit": Enum("Unit", {"EPOCH": "ep"}),
        "Slots": type("Slots", (), {"__slots__": ("value",)}),
    }.items():
        kind.__module__, kind.__qualname__ = foreign.__name__, name
        setattr(foreign, name, kind)
    slots = foreign.Slots()
    slots.value = 3
    trained = network(9)
    optimizer = torch.optim.AdamW(trained.parameters())
    trained.conv(torch.ones(1, 3, 4, 4)).sum().backward()
    optimizer.step()
    clock = {"epoch": 300, "batch": 93_900, "total_wct": timedelta(hours=40)}
    state = {
        "model": prefixed(raw, "module."),
        "optimizers": {"AdamW": optimizer.state_dict()},
        "timestamp": {"Timestamp": clock},
        "train_metrics": {"Accuracy": foreign.Accuracy()},
        "algorithms": [("Ema", {"unit": foreign.Unit.EPOCH, "slots": slots})],
        "run_name": "convnext",
    }
    if average is not None:
        state["model_ema_state_dict"] = average
    return {"state": state, "rng": [{"numpy": np.random.get_state(), "torch": torch.get_rng_state()}]}  # noqa: NPY002


@pytest.fixture
def save(tmp_path):
    """Saves an object, then forgets the foreign classes."""

    def save(content: object, **options: object) -> Path:
        torch.save(content, tmp_path / "ep300.pt", **options)
        sys.modules.pop("torchmetrics_of_then", None)
        return tmp_path / "ep300.pt"

    return save


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize(("ema", "seed"), [("auto", 2), (True, 2), (False, 1)])
def test_a_published_checkpoint_with_its_trainers_state(save, ema, seed, prefix):
    """The average comes with the prefix of the trainer's classifier, or without, as timm's unwrapping leaves it."""
    path = save(composer(network(1), prefixed(network(2), prefix)))
    target = network(0)
    load_weights(target, path, ema=ema)
    assert equal(target, network(seed))


def test_without_an_average_auto_takes_the_weights_and_true_refuses(save):
    path = save(composer(network(1)))
    target = network(0)
    load_weights(target, path)
    assert equal(target, network(1))
    with pytest.raises(InputError, match="no moving average"):
        load_weights(target, path, ema=True)


@pytest.mark.parametrize(
    ("wrap", "seed"),
    [
        (lambda raw, _: raw, 1),
        (lambda raw, _: {"state_dict": raw, "epoch": 7}, 1),
        (lambda raw, ema: {"state_dict": raw, "state_dict_ema": ema}, 2),
        (lambda raw, ema: {"model": raw, "model_ema": {**ema, "n_averaged": torch.tensor(5)}}, 2),
        (lambda raw, _: {"model_state": raw, "epoch": 100, "optimizer": {}}, 1),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_other_trainers(save, wrap, seed, zipped):
    """torch before 1.6 wrote bare pickles."""
    content = wrap(network(1).state_dict(), network(2).state_dict())
    path = save(content, _use_new_zipfile_serialization=zipped)
    target = network(0)
    load_weights(target, path)
    assert equal(target, network(seed))


@settings(max_examples=20)
@given(st.lists(st.sampled_from(("module.", "model.", "backbone.", "_orig_mod.", "net.", "x.y.")), max_size=3))
def test_prefixes_of_wrappers_in_any_order(tmp_path_factory, prefixes):
    path = tmp_path_factory.mktemp("prefixed") / "weights.pt"
    torch.save(prefixed(network(1), "".join(prefixes)), path)
    target = network(0)
    load_weights(target, path)
    assert equal(target, network(1))


def test_a_prefix_of_the_network_itself_stays(save):
    trained, target = (nn.ModuleDict({"backbone": network(seed)}) for seed in (1, 0))
    load_weights(target, save(prefixed(trained, "module.")))
    assert equal(target, trained)


def drop(key: str):
    return lambda weights: {name: tensor for name, tensor in weights.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("head.bias"), r"found:    1 missing: head\.bias\n"),
        (lambda w: {**w, "neck.weight": torch.ones(2)}, r"found:    1 unexpected: neck\.weight\n"),
        (
            lambda w: prefixed(network(1, width=6), ""),
            r"7 of another shape: conv\.weight \(6, 3, 3, 3\) instead of \(8, 3, 3, 3\)",
        ),
        (lambda w: prefixed(network(1, classes=7), ""), r"7 classes instead of 10; 2 of another shape: head\.weight \(7, 8\)"),
        (lambda w: {key + "_": w[key] for key in w}, r"8 missing: conv\.weight, .*, \.\.\.; 9 unexpected: conv\.weight_"),
        (lambda w: {}, r"a dictionary of nothing"),
        (lambda w: {"args": {"lr": 0.1}, "epoch": 3}, r"a dictionary of args, epoch\n"),
        (lambda w: torch.optim.SGD(network(1).parameters()), r"an object of torch\.optim\.sgd\.SGD\n"),
    ],
)
def test_other_weights_are_refused_and_leave_the_network_alone(save, change, message):
    target = network(0)
    with pytest.raises(InputError, match=message):
        load_weights(target, save(change(network(1).state_dict())))
    assert equal(target, network(0))


@pytest.mark.parametrize("length", [0, 3, 100, 2_000, -30])
def test_a_file_that_was_cut_short(save, length):
    path = save(network(1).state_dict())
    content = path.read_bytes()
    path.write_bytes(content[:length])
    with pytest.raises(InputError, match=r"ep300\.pt\n.*(bytes|readable|read)"):
        load_weights(network(0), path)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>404", b"PK\x03\x04 and then something else", b"no pickle at all"])
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    (tmp_path / "ep1.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"HTML page|longer file|begins with `no pickle at all`"):
        load_weights(network(0), tmp_path / "ep1.pt")


class Malicious:
    """Runs a function when it is unpickled in the usual way."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("function", [os.mkdir, Path.mkdir, eval, getattr])
def test_nothing_in_a_file_is_run(tmp_path, save, function, zipped):
    trap = tmp_path / "trap"
    arguments = {
        os.mkdir: (str(trap),),
        Path.mkdir: (trap,),
        eval: (f"__import__('os').mkdir({str(trap)!r})",),
        getattr: (Malicious(os.mkdir, str(trap)), "x"),
    }[function]
    content = {"model": network(1).state_dict(), "more": [Malicious(function, *arguments)]}
    path = save(content, _use_new_zipfile_serialization=zipped)
    target = network(0)
    try:
        load_weights(target, path)
        assert equal(target, network(1))
    except InputError as error:
        assert "read safely" in error.found and "weights_only" not in error.found
    assert not trap.exists()
    with suppress(AttributeError):
        torch.load(path, weights_only=False)
    assert trap.exists(), "the file is not the trap that this test needs"


def test_what_cannot_be_read_safely_is_explained(save):
    """The file has a list of a class of its own; torch fills nothing but lists."""
    path = save(
        {
            "model": network(1).state_dict(),
            "log": type("Log", (list,), {"__reduce__": lambda self: (_log, (), None, iter([1]))})(),
        }
    )
    with pytest.raises(InputError, match=r"(?s)Can only.*save the weights alone") as caught:
        read_checkpoint(path)
    assert "weights_only" not in str(caught.value)


def _log() -> list:
    return []


def test_urls_follow_the_published_names():
    url = "https://epfl-neuroailab-scalinglaws.s3.eu-north-1.amazonaws.com/checkpoints/alexnet_ecoset_10_seed-1/ep100.pt"
    assert spvvs.checkpoint_url("alexnet_ecoset_10_seed-1", 100) == url
    model = Plan(study("checkpoints")).models.inventory["alexnet_ecoset_10_seed-1"]
    assert model.checkpoint == "checkpoints" + url.split("/checkpoints")[1]


def study(folder: object, **keys: object) -> dict:
    published = {"source": "spvvs", "path": str(folder), "only": ["alexnet_*_10_*", "alexnet_imagenet_full_seed-0"], **keys}
    return {"study": "s", "results": "r", "models": [published]}


def test_only_what_the_folder_lacks_is_downloaded(tmp_path):
    there = tmp_path / "alexnet_ecoset_10_seed-1/ep100.pt"
    there.parent.mkdir()
    there.touch()
    plan = Plan(study(tmp_path))
    assert len(plan.models.inventory) == 7 and len(plan.models.downloads) == 6 and str(there) not in plan.models.downloads
    assert plan.models.downloads[str(tmp_path / "alexnet_imagenet_full_seed-0/ep100.pt")] == "alexnet_imagenet_full_seed-0"
    assert plan.missing_files_of_models == []


def test_without_downloads_missing_checkpoints_are_an_error(tmp_path):
    with pytest.raises(InputError, match=r"7 of 7 files are missing\n.*alexnet_imagenet_full_seed-0/ep100\.pt"):
        Plan(study(tmp_path, download=False))
    plan = Plan({**study(tmp_path, download=False), "plan_without_data": True})
    assert (
        plan.models.checkpoint_folder is None
        and plan.models.downloads == {}
        and plan.models.weights("alexnet_imagenet_full_seed-0") == []
    )


def test_downloads_go_to_one_folder():
    config = study("one")
    config["models"] += study("two", only=["resnet18_imagenet_full"])["models"]
    with pytest.raises(InputError, match="the folders one and two"):
        Plan(config)
    config["models"][1]["download"] = False
    Plan({**config, "plan_without_data": True})


@pytest.mark.slow
def test_snakemake_plans_the_missing_downloads(tmp_path):
    config = {**study(tmp_path / "checkpoints"), "results": str(tmp_path / "results")}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    wanted = [tmp_path / f"checkpoints/alexnet_imagenet_10_seed-{seed}/ep100.pt" for seed in range(3)]
    wanted[0].parent.mkdir(parents=True)
    wanted[0].touch()
    command = [sys.executable, "-m", "snakemake", *map(str, wanted[1:]), "-n", "--configfile", str(tmp_path / "study.yaml")]
    planned = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert planned.returncode == 0 and re.search(r"download_checkpoint +2\b", planned.stdout), planned.stdout


def test_the_script_fetches_by_the_id_of_the_model(tmp_path, monkeypatch):
    download, asked = script("download_checkpoint"), []
    monkeypatch.setattr(download, "fetch", lambda url, path: asked.append((url, path)))
    download.main(model="resnet18_ecoset_full", epoch=100, weights=tmp_path / "ep100.pt")
    assert asked == [(spvvs.checkpoint_url("resnet18_ecoset_full", 100), tmp_path / "ep100.pt")]
