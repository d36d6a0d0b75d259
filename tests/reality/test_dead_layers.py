"""Layers without information: dead or constant ones have no score and are never committed, and what float16 loses is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cortexscale.alignment.commit import commit_layers, commit_rois
from cortexscale.alignment.layer import warn_if_constant
from cortexscale.errors import InputError
from cortexscale.features.extract import ForwardPasses, extract_features, require_range_of_float16
from cortexscale.kernels.gram import gram
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import candidate_layers
from cortexscale.study.features import Projection


class Scaled(nn.Module):
    def __init__(self, scale: float):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return x * self.scale


def extract(scale: float, tmp_path) -> None:
    network = nn.Sequential(nn.Flatten(), Scaled(scale)).eval()
    images = list(torch.rand(6, 3, 4, 4))
    passes = ForwardPasses(Backbone(network, lambda image: image), images, {"model": "m"}, 4)
    projection = Projection(family="sparse", dimensions=1_000, seed=0)
    extract_features(passes, candidate_layers(network, ["1"]), tmp_path / "m.zarr.zip", projection=projection, made_by={})


@pytest.mark.parametrize("scale", [1e-9, 3e-6])
def test_activations_that_float16_loses_are_refused_with_the_cure(scale, tmp_path):
    with pytest.raises(
        InputError,
        match=r"layer 1 of a Sequential\n.*activations of about [\d.e-]+, of which(.*\n)*.*multiply its output by .* 1e\+(10|06)",
    ):
        extract(scale, tmp_path)
    assert not (tmp_path / "m.zarr.zip").exists()


def test_activations_beyond_float16_are_refused_with_the_cure(tmp_path):
    with pytest.raises(
        InputError, match=r"layer 1, stimulus row 0\n.*0 NaN, \d+ infinite or too large(.*\n)*.*divide its output"
    ):
        extract(1e8, tmp_path)


@pytest.mark.parametrize("scale", [0, 1e-3, 1, 1e4])
def test_other_layers_are_stored(scale, tmp_path):
    """A dead layer does not stop the search of the others."""
    extract(scale, tmp_path)
    assert (tmp_path / "m.zarr.zip").exists()


def test_a_few_large_activations_are_enough():
    require_range_of_float16(torch.tensor([[0, 1e-7, 1e-7, 0.01]]), "layer a")
    with pytest.raises(InputError, match="about 1e-07"):
        require_range_of_float16(torch.tensor([[0, 1e-7, 1e-7, 0]]), "layer a")


@pytest.mark.parametrize(("features", "constant"), [(np.zeros((9, 4)), True), (np.full((9, 4), 3.7), True), (np.eye(9), False)])
def test_a_constant_layer_is_told(features, constant, caplog):
    class Target:
        dataset = "TVSD"

    assert warn_if_constant(gram([features.astype(np.float16)]), "relu9", Target) == constant
    assert ("layer relu9 puts out the same numbers for all stimuli of TVSD" in caplog.text) == constant


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
