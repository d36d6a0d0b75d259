"""Chance and a dependence on the batch are told apart, by check_model and before features are stored."""

import pytest
import torch
from inventories import inventory
from places import ROOT
from torch import nn

from cortexscale.check.model import check_model
from cortexscale.errors import InputError
from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import candidate_layers
from cortexscale.study import load_study
from cortexscale.study.features import Projection

EXAMPLE = (ROOT / "docs/example_model.py").read_text(encoding="utf-8")
FILTERED = "filtered = self.filters(images.mean(dim=1, keepdim=True))"
CHANCE = {
    "dropout": f"{FILTERED}\n        filtered = nn.functional.dropout(filtered, 0.2)",
    "noise": f"{FILTERED}\n        filtered = filtered + 0.1 * torch.randn_like(filtered)",
    "random weights": f"nn.init.normal_(self.filters.weight)\n        {FILTERED}",
    "a counter of passes": f"self.n = getattr(self, 'n', 0) + 1\n        {FILTERED}\n        filtered = filtered * self.n",
}
BATCH = {
    "batch statistics": f"{FILTERED}\n        filtered = nn.functional.batch_norm(filtered, None, None, training=True)",
    "mean over the batch": f"{FILTERED}\n        filtered = filtered - filtered.mean(dim=0)",
    "scale of the batch": f"{FILTERED}\n        filtered = filtered / filtered.abs().amax()",
}
SCALED = f"{FILTERED}\n        filtered = filtered / (filtered.abs().amax(dim=(1, 2, 3), keepdim=True) + 1)"


def report(code: str, tmp_path, replaced: str = FILTERED) -> tuple[int, str]:
    (tmp_path / "own.py").write_text(EXAMPLE.replace(replaced, code), encoding="utf-8")
    own = {"source": "python", "id": "own", "file": str(tmp_path / "own.py"), "transform": "transform"}
    own |= {"family": "Gabor", "layers": ["simple", "complex"], "arguments": {"orientations": 2}}
    models = inventory(load_study({"study": "s", "results": "r", "models": [own]}))
    found = check_model(models["own"], 32, Projection(family="sparse", dimensions=50, seed=0), 10_000, False)
    return found.n_problems, found.text()


@pytest.mark.parametrize("code", CHANCE.values(), ids=CHANCE)
def test_chance_is_blamed_on_chance(code, tmp_path):
    problems, text = report(code, tmp_path)
    assert problems == 1 and "differ when it passes alone twice: the network draws random numbers" in text
    assert "in a batch" not in text


@pytest.mark.parametrize("code", BATCH.values(), ids=BATCH)
def test_a_dependence_on_the_batch_is_blamed_on_the_batch(code, tmp_path):
    problems, text = report(code, tmp_path)
    assert problems == 1 and "differ when it passes alone and in a batch: the network normalises over the batch" in text
    assert "random numbers" not in text


def test_a_layer_that_does_not_run_in_every_pass_is_blamed_on_chance(tmp_path):
    every_other = "self.n = getattr(self, 'n', 0) + 1\n        if self.n % 2:\n            self.simple(filtered)"
    problems, text = report(every_other, tmp_path, "self.simple(filtered)")
    assert problems == 1 and "differ when it passes alone twice" in text


@pytest.mark.parametrize("code", [FILTERED, SCALED])
def test_other_networks_are_in_order(code, tmp_path):
    problems, text = report(code, tmp_path)
    assert not problems, text


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class Centred(nn.Module):
    def forward(self, x):
        return x - x.mean(dim=0)


@pytest.mark.parametrize(
    ("module", "blamed"), [(Noisy, "passes alone twice: the network draws"), (Centred, "in a batch: the network normalises")]
)
def test_extraction_blames_the_same_cause(module, blamed, tmp_path):
    network = nn.Sequential(nn.Flatten(), module()).eval()
    passes = ForwardPasses(Backbone(network, lambda image: image), list(torch.rand(6, 3, 4, 4)), {"model": "m"}, 4)
    projection = Projection(family="sparse", dimensions=1_000, seed=0)
    with pytest.raises(InputError, match=f"layer 1 of a Sequential\n.*{blamed}"):
        extract_features(passes, candidate_layers(network, ["1"]), tmp_path / "m.zarr.zip", projection=projection, made_by={})
    assert not (tmp_path / "m.zarr.zip").exists()
