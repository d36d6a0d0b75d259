"""check_model says what is wrong with a model, and what it costs."""

import re
import subprocess
import sys

import pytest
import torch
import yaml
from inventories import inventory
from memory import peak_mb
from places import ROOT
from torch import nn

from cortexscale.check.model import check_model
from cortexscale.errors import InputError
from cortexscale.features.blocks import ROWS
from cortexscale.features.bounds import Extraction
from cortexscale.kernels.projection import RandomProjection
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import build_backbone
from cortexscale.models.counting import count_network
from cortexscale.plan import Plan
from cortexscale.study import load_study
from cortexscale.study.features import Features, Projection

PROJECTION = Projection(family="sparse", dimensions=500, seed=42)
GABORS = {"source": "python", "id": "gabors", "file": str(ROOT / "docs/example_model.py"), "transform": "transform"}
GABORS |= {"family": "Gabor", "layers": ["simple", "complex"]}
OWN = """
import torch
from torch import nn


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.tokens, self.unused, self.mixed, self.broken = (nn.Identity() for _ in range(5))
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        x = self.first(x * self.weight).flatten(2)
        self.tokens(x.permute(2, 0, 1))
        self.mixed(x - x.mean(dim=0))
        return self.broken(x / (x - x))


def build():
    return Own()
"""


def report(
    row: dict, asked_mb: int = 10_000, weights_follow: bool = False, batch_size: int = 32, projection: Projection = PROJECTION
) -> tuple[int, str]:
    models = inventory(load_study({"study": "s", "results": "r", "models": [row]}))
    found = check_model(next(iter(models.values())), batch_size, projection, asked_mb, weights_follow)
    return found.n_problems, found.text()


@pytest.mark.slow
def test_exact_kernels_need_no_projection():
    problems, text = report(GABORS, projection=Projection(family="exact"))
    assert not problems and "projections" not in text
    assert f"{2 * (131_072 + 1_024) / 1e6:.2f} MB stored per image while exact kernels are made" in text


def test_the_example_is_in_order_and_its_layers_are_told():
    problems, text = report(GABORS)
    assert not problems, text
    assert "GaborModel, 7,200 parameters" in text and "0.06 GFLOPs" in text and "input 3 x 64 x 64 float32" in text
    assert re.search(r"1\.000 +3 +1,024  complex", text) and re.search(r"0\.667 +2 +131,072  simple", text)
    layers = next(section for section in text.split("\n\n") if section.startswith("candidate layers"))
    assert layers in (ROOT / "docs/models.md").read_text()


def test_everything_that_is_wrong_with_layers_is_told_at_once(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    row = GABORS | {"file": str(tmp_path / "own.py"), "layers": ["first", "tokens", "unused", "mixed", "broken"]}
    problems, text = report({key: value for key, value in row.items() if key != "transform"})
    assert problems == 4, text
    assert "layer tokens of a Own" in text and "50176 rows for 2 image" in text
    assert "do not take part in the forward pass; leave them out:\n      unused" in text
    assert re.search(r"differ when it passes alone and in a batch: .*:\n +mixed", text)
    assert "broken puts out numbers that are not finite" in text
    assert re.search(r"150,528  first", text)


def test_weights_are_missing_or_follow_or_do_not_fit(tmp_path):
    file = tmp_path / "mine.pt"
    row = {"source": "checkpoint", "id": "mine", "timm": "test_vit", "classes": 3, "layers": "ViT", "file": str(file)}
    problems, text = report(row)
    assert problems == 1 and str(file) in text and "31 layers" in text, "layers are looked at all the same"
    problems, text = report(row, weights_follow=True)
    assert not problems and "does not exist yet" in text
    models = inventory(load_study({"study": "s", "results": "r", "models": [row | {"classes": 4}]}))
    torch.save(build_backbone(models["mine"]).network.state_dict(), file)
    problems, text = report(row, weights_follow=True)
    assert problems == 1 and "head.weight" in text


def test_a_pattern_without_a_match_and_a_name_that_cannot_be_built_are_told():
    problems, text = report(GABORS | {"layers": ["simple", "compex"]})
    assert problems == 1 and "layer pattern compex" in text
    problems, text = report({"source": "timm", "ids": ["no_such_net"], "layers": ["norm"]})
    assert problems >= 1 and "Unknown model" in text


WIDE = """
import torch
from torch import nn
from cortexscale.study.features import Projection
from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import candidate_layers
from cortexscale.kernels.device import keep_freed_memory


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.PReLU() for _ in range(16))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class Pictures(list):
    def __getitem__(self, row):
        return torch.full((3, 96, 96), float(row))


batch = {batch}
keep_freed_memory()
backbone = Backbone(Wide().eval(), nn.Identity())
projection = Projection(family="countsketch", dimensions=20_000, seed=0)
layers = candidate_layers(backbone.network, [r"layers\\.\\d+"])
passes = ForwardPasses(backbone, Pictures(range(4 * batch)), dict(model="wide"), batch)
extract_features(passes, layers, "{folder}/m.zarr.zip", projection=projection, made_by=dict())
"""


@pytest.mark.slow
def test_memory_is_that_of_an_extraction(tmp_path):
    batch, width, projection = 96, 3 * 96**2, Projection(family="countsketch", dimensions=20_000, seed=0)
    settings = Features.model_validate({"batch_size": batch, "projection": projection})
    measured = peak_mb(WIDE.format(batch=batch, folder=tmp_path))
    backbone = Backbone(nn.Sequential(nn.PReLU()), lambda _: torch.zeros(3, 96, 96))
    network = count_network(backbone, torch.zeros(1, 3, 96, 96), [width] * 16)
    told = {what: size / 1e6 for what, size in Extraction(network, 16, 4 * batch, settings, 20_000).memory.items()}
    assert told["rows that wait to be written"] > 250
    needed, allowance = sum(told.values()), told["libraries and freed memory"]
    assert needed - allowance < measured < needed


def test_memory_is_told_by_what_takes_it():
    _, text = report(GABORS)
    matrix = RandomProjection("sparse", 131_072, 500, 42)
    matrix(torch.ones(1, 131_072))
    entries = [RandomProjection("sparse", n, 500, 42) for n in (131_072, 1_024)]
    stored = 0
    for map in entries:
        map(torch.ones(1, map.n_in))
        stored += sum(8 * matrix.values().numel() for matrix in map._matrices.values()) / 1e6
    assert f"{stored:,.0f} MB of sparse projections to 500" in text
    assert f"{1_000 * (2 * ROWS + 8 * 32) / 1e6:,.0f} MB of rows that wait" in text
    problems, text = report(GABORS, asked_mb=1_000)
    assert problems == 1 and "lower features.batch_size" in text


def test_the_plan_wants_a_model_of_the_study(tmp_path):
    config = {"study": "s", "results": str(tmp_path), "models": [GABORS]}
    with pytest.raises(InputError, match=r"no model\n.*gabors\n.*snakemake check_model --config model=NAME"):
        Plan(config, {"check_model"})
    with pytest.raises(InputError, match=r"model=gabor\n.*one of gabors"):
        Plan(config | {"model": "gabor"}, {"check_model"})
    with pytest.raises(InputError, match=r"config key model\n.*unknown key"):
        Plan(config | {"model": "gabors"})


@pytest.mark.slow
def test_snakemake_checks_the_documented_example(tmp_path):
    config = {
        "study": "mine",
        "results": str(tmp_path / "results"),
        "models": [GABORS, GABORS | {"id": "wrong", "layers": ["x"]}],
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "check_model"]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(tmp_path), "--configfile"]
    command += [str(tmp_path / "mine.yaml")]

    def run(model: str) -> subprocess.CompletedProcess[str]:
        asked = [*command, "--config", f"model={model}"]
        return subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    right, wrong = run("gabors"), run("wrong")
    assert right.returncode == 0 and "The model `gabors` of the source `python`: in order" in right.stdout, right.stdout
    assert wrong.returncode != 0 and "layer pattern x" in wrong.stdout
    assert "in order" in (tmp_path / "results/qc/check_model_gabors.txt").read_text()
    assert "1 problem" in (tmp_path / "results/qc/check_model_wrong.txt").read_text()
