"""Models whose parameters, FLOPs or training images are 0, negative or unknown: no point on a logarithmic axis, and a warning."""

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.errors import InputError
from cortexscale.scaling.points import MODEL_COLUMNS, axis_points
from cortexscale.study import load_study

BAD = [0.0, -3.0, np.inf, -np.inf]


@pytest.mark.parametrize("axis", MODEL_AXES)
@pytest.mark.parametrize("value", [*BAD, np.nan])
def test_a_model_without_a_usable_x_has_no_point(axis, value, caplog):
    row = dict.fromkeys(MODEL_COLUMNS, 1.0) | {"backbone_source": "timm", "backbone_arch": "a", "backbone_arch_family": "F"}
    row |= {"pretraining_dataset": "imagenet", "score": 0.3, "benchmark_name": "tvsd"}
    row |= {"held_out": False, "is_selfsupervised_learning": False, "is_adversarially_finetuned": False}
    scores = pd.DataFrame([row | {"model_id": "good"}, row | {"model_id": "bad", MODEL_AXES[axis].column: value}])
    assert axis_points(scores, axis)["model_id"].tolist() == ["good"]
    warned = f"axis {axis} has no point of bad: {MODEL_AXES[axis].column} is not above 0" in caplog.text
    assert warned == (not np.isnan(value)), "an unknown value is no mistake"


@pytest.mark.parametrize("samples", [0, -1, "many", float("nan"), 1.5])
def test_the_config_refuses_impossible_numbers_of_training_images(samples):
    row = yaml.safe_load(f"{{source: python, id: own, file: {ROOT / 'docs/example_model.py'}, family: F, layers: [simple]}}")
    with pytest.raises(InputError, match=r"models\.0\.samples\n"):
        load_study({"study": "s", "results": "r", "models": [row | {"samples": samples}]})
    timm = {"source": "timm", "ids": ["resnet18"], "layers": "ResNet", "pretraining_samples": {"resnet18": samples}}
    with pytest.raises(InputError, match=r"models\.0\.pretraining_samples\.resnet18\n"):
        load_study({"study": "s", "results": "r", "models": [timm]})
