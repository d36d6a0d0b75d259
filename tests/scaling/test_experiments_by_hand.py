"""Which models of an invented table the published experiments select, with which X and which mean score."""

import numpy as np
import pandas as pd
import pytest

from cortexscale.errors import InputError
from cortexscale.scaling.experiments import FLAGS, find_experiment, select_rows

MODELS = {
    "convolutional": {},
    "convolutional_few": {"samples_per_class": 10},
    "patches": {"arch_family": "ViT"},
    "patches_300": {"arch_family": "ViT", "samples_per_class": 300},
    "patches_few": {"arch_family": "ViTFlex", "samples_per_class": 10},
    "ecoset": {"dataset": "ecoset"},
    "places": {"dataset": "places365"},
    "pretrained": {"dataset": "own", "is_pretrained": True},
    "random": {"is_random": True},
    "simclr": {"is_ssl": True, "ssl_method": "simclr"},
    "dino": {"is_ssl": True, "ssl_method": "dino"},
    "adversarial": {"is_adv": True},
    "ablation": {"is_ablation": True},
    "unknown_size": {"n_params": np.nan},
}
SCORES = {"V1": 0.1, "V2": 0.2, "V4": 0.3, "IT": 0.4, "Behavioral": 1.0}
GRID = {"convolutional", "convolutional_few", "patches", "patches_300", "patches_few", "ecoset"}


def table() -> pd.DataFrame:
    plain = {"arch": "a", "arch_family": "ResNet", "dataset": "imagenet", "samples_per_class": 0, "ssl_method": None}
    plain |= {"flops": 2.0, "n_params": 3.0, "n_samples": 5.0, "n_samples_seen": 7.0, "total_flops": 11.0}
    plain |= dict.fromkeys(FLAGS, False)
    rows = [
        {**plain, "model_id": model, "region": region, "score": score, **columns}
        for model, columns in MODELS.items()
        for region, score in SCORES.items()
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    ("name", "models", "score"),
    [
        ("compute_neuro", GRID, 0.25),
        ("compute_behavior", GRID, 1.0),
        ("compute_chinchilla", GRID - {"patches_few"}, 0.4),
        ("parameter_scaling", {"convolutional", "patches", "ecoset"}, 0.4),
        ("parameter_pretrained_scaling", {"pretrained"}, 0.4),
        ("sample_imagenet_scaling", GRID - {"patches_few", "ecoset"}, 0.4),
        ("sample_places365_scaling", {"places"}, 0.4),
        ("model_vit_avg", {"patches", "patches_300", "patches_few"}, 0.4),
        ("region_v2_group1", {"convolutional", "convolutional_few", "ecoset"}, 0.2),
        ("region_it_group2", {"patches", "patches_300", "patches_few"}, 0.4),
        ("simclr_v1", {"simclr"}, 0.1),
    ],
)
def test_an_experiment_selects_models_by_flags_data_and_family_and_averages_regions(name, models, score):
    rows = select_rows(table(), name)
    assert rows["model_id"].tolist() == sorted(models)
    assert rows["score"].tolist() == pytest.approx([score] * len(models))
    assert set(rows["arch_family"]) <= {"ResNet", "ViT"}, "a family of flexible width is its family"


@pytest.mark.parametrize(
    ("name", "x", "scale", "form"),
    [
        ("compute_neuro", (11,), (1e13,), "reduced"),
        ("parameter_scaling", (3,), (1e5,), "reduced"),
        ("sample_ecoset_scaling", (7,), (1e4,), "reduced"),
        ("compute_chinchilla", (3, 7), (1e5, 1e4), "chinchilla"),
        ("model_vit_neuro", (11,), (1e13,), "offset"),
        ("model_resnet_neuro", (11,), (1e13,), "reduced"),
    ],
)
def test_x_is_raw_and_has_the_unit_of_the_published_constants(name, x, scale, form):
    rows, experiment = select_rows(table(), name), find_experiment(name)
    assert [column for column in rows if column in ("x", "x2")] == ["x", "x2"][: len(x)]
    assert tuple(rows[["x", "x2"][: len(x)]].iloc[0]) == x
    assert (experiment.x_scale, experiment.form) == (scale, form)


def test_a_region_without_a_score_is_left_out_of_the_mean():
    scores = table()
    rows = select_rows(scores[(scores["region"] != "V1") | (scores["model_id"] != "patches")], "compute_neuro")
    assert rows.set_index("model_id")["score"].drop("patches").tolist() == pytest.approx([0.25] * 5)
    assert rows.set_index("model_id").loc["patches", "score"] == pytest.approx(0.3)


def test_an_experiment_without_models_is_an_error():
    with pytest.raises(InputError, match=r"experiment sample_infimnist_scaling(.|\n)*no row"):
        select_rows(table(), "sample_infimnist_scaling")
