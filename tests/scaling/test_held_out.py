"""Which models scaling laws are fitted to is a choice of the config: ``fit`` and ``family`` of an entry of ``models``."""

import logging

import numpy as np
import pandas as pd
import pytest
import yaml
from places import COMPLETE

from cortexscale.errors import Problems
from cortexscale.jobs import plain
from cortexscale.models.cards import model_cards
from cortexscale.models.inventory import fitted_models, model_inventory
from cortexscale.models.roles import kinds
from cortexscale.plan import Plan
from cortexscale.scaling.allocation import fit_model_and_data
from cortexscale.scaling.laws import fit_axis
from cortexscale.scaling.points import axis_points, benchmark_scores, worth_showing
from cortexscale.study import load_study
from cortexscale.study.fits import FitSettings

SETTINGS = FitSettings(bootstraps=10, seed=0)


def own_models(n: int, **facts) -> pd.DataFrame:
    """Pretrained models of one family without any number of samples per class, which follow a law of compute."""
    size = np.arange(1, n + 1)
    card = {
        "backbone_source": "timm",
        "backbone_arch_family": "Mine",
        "pretraining_dataset": None,
        "pretraining_samples_per_class": np.nan,
        "pretraining_seed": np.nan,
        "held_out": False,
        "is_selfsupervised_learning": False,
        "is_adversarially_finetuned": False,
    }
    return pd.DataFrame(
        {
            "model_id": [f"mine_{number}" for number in size],
            "backbone_arch": [f"arch_{number}" for number in size],
            "backbone_n_params": 1e5 * size,
            "pretraining_n_samples": 1e6 * size,
            "pretraining_total_flops_estimate": 1e15 * size.astype(float) ** 2,
            "pearsonr_nc": 0.7 - 0.3 * size**-0.5 + 0.002 * np.sin(9 * size),
        }
    ).assign(benchmark_name="tvsd", subject="s", roi="V1", **card | facts)


@pytest.mark.parametrize("axis", ["compute", "samples", "parameters"])
def test_models_that_are_not_held_out_have_a_law_of_their_family(axis):
    fits, _, points = fit_axis(pd.concat([own_models(12), own_models(2, held_out=True, model_id="x")]), axis, "reduced", SETTINGS)
    assert set(fits["family"]) == {"all", "Mine"} and set(fits["n"]) == {12}
    assert (points["fitted"] != points["held_out"]).all() and worth_showing(points, special=False).all()


def test_self_supervised_models_may_be_fitted_and_adversarial_copies_never_are():
    table = pd.concat(
        [own_models(3, is_selfsupervised_learning=True), own_models(1, is_adversarially_finetuned=True, model_id="adv")]
    )
    points = axis_points(benchmark_scores(table), "compute").drop_duplicates("model_id").set_index("model_id")
    assert points["fitted"].to_dict() == {"mine_1": True, "mine_2": True, "mine_3": True, "adv": False}
    table["held_out"] = True
    assert kinds(table).tolist() == ["self-supervised"] * 3 + ["adversarial"]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (own_models(9, held_out=True), "all 9 models are held out; `fit: true` on their entries"),
        (own_models(4), "4 of 4 models are points of the laws, which are too few"),
        (pd.concat([own_models(2), own_models(1, held_out=True, model_id="x")]), "2 of 3 models are points of the laws"),
    ],
)
def test_held_out_and_too_few_are_told_apart(table, reason, caplog):
    with caplog.at_level(logging.WARNING):
        assert fit_axis(table, "compute", "offset", SETTINGS)[0].empty
        assert fit_model_and_data(table, SETTINGS)[0].empty
    assert [reason in message for message in caplog.messages] == [True, True]


ROWS = [
    {"source": "spvvs", "path": "p", "only": ["alexnet_imagenet_full_seed-0"]},
    {"source": "timm", "ids": ["resnet18.a1_in1k"], "layers": ["layer1"]},
    {"source": "timm", "ids": ["resnet26.bt_in1k", "resnet34.a1_in1k"], "layers": ["layer1"], "family": "ResNet", "fit": True},
    {"source": "huggingface", "ids": ["me/net"], "layers": "V-JEPA2", "family": "Mine"},
    {"source": "python", "id": "gabors", "file": "docs/example_model.py", "family": "Gabor", "layers": ["complex"], "fit": True},
]


def test_suites_are_fitted_by_default_and_other_models_where_their_entry_says_so():
    study = load_study({"study": "s", "results": "r", "models": ROWS})
    models = model_inventory(study, Problems())
    assert fitted_models(study) == ["alexnet_imagenet_full_seed-0", "resnet26.bt_in1k", "resnet34.a1_in1k", "gabors"]
    assert [models[id].family for id in ("resnet18.a1_in1k", "resnet26.bt_in1k", "net")] == ["ResNet", "ResNet", "Mine"]
    assert not fitted_models(load_study({"study": "s", "results": "r", "models": [ROWS[0] | {"fit": False}]}))


def test_the_choice_reaches_the_cards_and_nothing_that_is_expensive(tmp_path):
    config = yaml.safe_load(COMPLETE.read_text(encoding="utf-8")) | {"results": str(tmp_path)}
    config["models"][0]["adversarial"] = {"architectures": ["resnet_base"], "recipe": {"preset": "adversarial", "steps": 40}}
    own = {"source": "timm", "ids": ["test_resnet.r160_in1k"], "layers": ["layer1"]}
    plans = [Plan(config | {"models": [*config["models"], own | {"fit": fit}]}) for fit in (False, True)]
    before, after = (list(plan.models.inventory.values()) for plan in plans)
    assert plain(before) == plain(after)
    fitted = plans[1].models.fitted
    assert set(fitted) - set(plans[0].models.fitted) == {"test_resnet.r160_in1k"}
    chosen = [model for model in after if model.arch in ("resnet_base", "test_resnet")]
    cards = model_cards(chosen, fitted).set_index("model_id")
    assert cards.index[cards["held_out"]].tolist() == [model.id for model in chosen if model.begins_with] != []
