"""Layers without information: dead or constant ones have no score and are never committed. Layers of any scale are stored."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cortexscale.alignment.commit import commit_layers, commit_rois
from cortexscale.alignment.layer import is_constant
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.targets import Targets
from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError
from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.features.store import FeatureStore
from cortexscale.kernels.gram import gram
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import candidate_layers
from cortexscale.readouts.parts import Parts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.stage import Stage
from cortexscale.readouts.tokens import Tokens
from cortexscale.study.features import Projection
from cortexscale.study.ridge import Ridge


class Scaled(nn.Module):
    def __init__(self, scale: float):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x * self.scale


IMAGES = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def extract(scale: float, tmp_path) -> FeatureStore:
    network = nn.Sequential(nn.Flatten(), Scaled(scale)).eval()
    passes = ForwardPasses(Backbone(network, lambda image: image), list(IMAGES), {"model": "m"}, 4)
    projection = Projection(family="sparse", dimensions=1_000, seed=0)
    extract_features(passes, candidate_layers(network, ["1"]), tmp_path / "m.zarr.zip", projection=projection, made_by={})
    return FeatureStore(tmp_path / "m.zarr.zip")


@pytest.mark.parametrize("scale", [0, 1e-30, 1e-9, 1, 1e4, 1e8, 1e30])
def test_layers_of_any_scale_are_stored(scale, tmp_path):
    """A dead layer does not stop the search of the others."""
    found = extract(scale, tmp_path).features("1")[:]
    expected = scale * IMAGES.flatten(1)
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=2**-11 * scale)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("features", "constant"),
    [
        (np.zeros((9, 4)), True),
        (np.full((9, 4), 3.7), True),
        (np.tile(np.random.default_rng(0).normal(size=3_000), (300, 1)), True),
        (np.eye(9), False),
        (np.eye(9) * 1e-4 + 3.7, False),
        (np.pad(np.eye(1), ((0, 299), (0, 999))), False),
    ],
)
def test_a_constant_layer_is_told(features, constant, dtype):
    assert is_constant(gram([features.astype(np.float16 if constant else np.float32)], dtype)) == constant


def test_a_layer_that_is_constant_on_some_images_is_told():
    """The kernel is centred by the mean of all images, so that the constant images have a kernel that is not 0."""
    features = np.random.default_rng(0).normal(size=(300, 2_000))
    features[:200] = features[0]
    kernel = gram([features.astype(np.float16)])
    assert is_constant(kernel.subset(np.arange(200))) and not is_constant(kernel)


RIDGE = Ridge(folds={"count": 2}, alphas={"low": 1, "high": 2, "count": 2})


class Constant(FeatureStore):
    """A store of one dead layer and one that knows the responses, for 40 images."""

    def __init__(self, path: str):
        self.path, self.attributes, self.n_rows = path, {"identity": {"model": "borrower"}}, 40
        self.layers = {name: {"position": 1, "depth": 1.0} for name in ("dead", "good")}
        signal = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float16)
        self.features = {"dead": np.full((40, 50), 0.5, np.float16), "good": signal}
        self._group = self.features

    def slabs(self, layer, columns=1000):
        return iter([self.features[layer]])


def targets(store: Constant) -> Targets:
    responses = store.features["good"][:, :3].astype(np.float32)
    groups = pd.DataFrame({"benchmark_name": ["d"], "subject": ["s"], "roi": ["V4"], "n_units": [3]})
    train, test = np.arange(30), np.arange(30, 40)
    names = np.array(["a", "b", "c"])
    members, perfect = np.ones((1, 3), bool), np.full((1, 3), 0.5)
    return Targets("d", train, test, train, responses[:30], responses[30:], np.full(3, 50.0), groups, members, names, perfect)


def committed(layer: str) -> Commitments:
    return Commitments("reference", {"d": {"V4": CommittedLayer(layer, 1, 1.0, 0.5)}})


def test_a_committed_layer_that_is_dead_has_no_score_but_an_error():
    store = Constant("features.zarr.zip")
    rows, _ = score_alignment(store, [targets(store)], committed("good"), RIDGE)
    assert rows["pearsonr"].notna().all()
    with pytest.raises(InputError, match=r"committed layer dead of model borrower\n.*all 40 stimuli of d: the layer is dead"):
        score_alignment(store, [targets(store)], committed("dead"), RIDGE)


def test_the_search_gives_a_dead_layer_no_score(caplog):
    store = Constant("sweep.zarr.zip")
    table = search_layers(store, [targets(store)], RIDGE).set_index("layer_name")
    assert np.isnan(table["cv_score"]["dead"]) and table["cv_score"]["good"] > 0.5
    assert "layer dead puts out the same numbers for all stimuli of d" in caplog.text


def test_the_search_names_a_layer_that_is_small_beside_the_penalties(caplog):
    store = Constant("store.zarr.zip")
    wanted = targets(store)
    store.features["good"] = store.features["good"] * np.float32(1e-9)
    table = search_layers(store, [wanted], RIDGE)
    assert table["cv_score"].isna().all()
    assert "layer good is too small for the penalties, and predicts nothing of d" in caplog.text


@pytest.mark.parametrize("recipe", [None, ReadoutRecipe(readout="low_rank")])
def test_readouts_refuse_a_dead_layer(recipe, tmp_path):
    store = Constant("tokens.zarr.zip")

    class Stored(Tokens):
        def read(self, rows):
            return store.features["dead"][rows][:, None]

    store.tokens = lambda layer: Stored()
    roi = {"V4": committed("dead")["d"]["V4"]}
    stage = Stage(store, [targets(store)], roi, np.arange(40), [100], [0], Parts(tmp_path / "parts", {}), 0, save=False)
    with pytest.raises(InputError, match="committed layer dead of model borrower"):
        stage.trained(recipe, shared=False) if recipe else stage.linear(RIDGE)


def search(**scores: list[float]) -> pd.DataFrame:
    rows = [
        {"benchmark_name": "d", "roi": "V1", "subject": f"s{number}", "layer_name": layer, "cv_score": score}
        | {"layer_position": position, "layer_position_normalized": position / 9}
        for position, (layer, values) in enumerate(scores.items(), start=1)
        for number, score in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_a_layer_without_score_is_never_committed():
    committed = commit_rois(search(dead=[np.nan, np.nan], poor=[-0.2, -0.1], worse=[-0.3, -0.3]))["V1"]
    assert committed.layer_name == "poor" and committed.runner_up == "worse" and committed.margin == pytest.approx(0.15)


def test_a_score_of_some_subjects_does_not_count():
    committed = commit_rois(search(half=[np.nan, 0.9], whole=[0.1, 0.2]))["V1"]
    assert committed.layer_name == "whole" and committed.margin is None and committed.runner_up is None


def test_without_any_score_the_search_is_refused():
    with pytest.raises(InputError, match=r"layer search of V1\n.*no score of any of the 2 candidate layers"):
        commit_layers(search(a=[np.nan], b=[np.nan]), "m")


def test_equal_scores_go_to_the_shallower_layer():
    assert commit_rois(search(shallow=[0.2], deep=[0.2]))["V1"].layer_name == "shallow"
