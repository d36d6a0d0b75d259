"""The generated inventory is the published one."""

import re
import subprocess
import sys
from collections import Counter

import pandas as pd
import pytest
import yaml
from inventories import inventory
from places import COMPLETE, ROOT
from shipped_data import suite

from cortexscale.errors import InputError
from cortexscale.models import spvvs
from cortexscale.models.families import LAYERS
from cortexscale.models.model import TimmBuilder
from cortexscale.plan import Plan
from cortexscale.study import load_study


def test_ids_and_properties_equal_the_published_table():
    published = suite()
    generated = pd.DataFrame([entry.__dict__ for entry in spvvs.checkpoints()]).set_index("id").sort_index()
    assert list(generated.index) == list(published.index)
    assert len(generated) == 620
    for ours, theirs in (
        ("arch", "arch"),
        ("family", "arch_family"),
        ("dataset", "dataset"),
        ("samples_per_class", "samples_per_class"),
        ("seed", "seed"),
        ("n_samples", "n_samples"),
        ("epochs", "n_epochs"),
    ):
        assert (generated[ours] == published[theirs]).all(), ours


def test_checkpoint_paths_follow_the_published_urls():
    study = load_study({"study": "s", "results": "r", "models": [{"source": "spvvs", "path": "checkpoints"}]})
    models = inventory(study)
    for id, url in suite()["checkpoint_url"].items():
        assert models[id].checkpoint.split("/", 1)[1] == url.split("/checkpoints/")[1]


def test_every_model_borrows_from_a_model_of_its_architecture():
    study = load_study({"study": "s", "results": "r", "models": [{"source": "spvvs", "path": "checkpoints"}]})
    models = inventory(study)
    references = {model.reference for model in models.values()}
    assert len(references) == 60  # 18 named and 42 flex architectures
    for model in models.values():
        assert models[model.reference].arch == model.arch
        assert models[model.reference].dataset == "imagenet"


def test_borrowing_can_be_switched_off():
    config = {
        "study": "s",
        "results": "r",
        "models": [{"source": "spvvs", "path": "c", "only": ["alexnet_*"]}],
        "layer_commitment": {"borrow": False},
    }
    assert all(model.reference == model.id for model in inventory(load_study(config)).values())


def test_a_selection_without_its_reference_is_refused():
    config = {"study": "s", "results": "r", "models": [{"source": "spvvs", "path": "c", "only": ["alexnet_ecoset_*"]}]}
    with pytest.raises(Exception, match=r"alexnet_imagenet_full_seed-0.*\n.*\n.*add alexnet_imagenet_full_seed-0"):
        inventory(load_study(config))


@pytest.mark.parametrize("last", ["a", "c"], ids=["circle", "chain"])
def test_references_have_layers_of_their_own(last):
    own = {"source": "python", "file": "f.py", "family": "F", "layers": ["x"]}
    rows = [own | {"id": "a", "reference": "b"}, own | {"id": "b", "reference": last}, own | {"id": "c"}]
    with pytest.raises(Exception, match=r"reference of a\n.*b, whose own reference is"):
        inventory(load_study({"study": "s", "results": "r", "models": rows}))


def test_the_same_model_twice_is_refused():
    timm = {"source": "timm", "ids": ["vit_base_patch16_dinov3.lvd1689m"], "layers": ["norm"]}
    with pytest.raises(Exception, match="ids given twice: vit_base_patch16_dinov3"):
        inventory(load_study({"study": "s", "results": "r", "models": [timm, timm | {"layers": ["blocks.0"]}]}))


def test_layers_are_patterns_or_the_name_of_a_family():
    rows = [{"source": "timm", "ids": ["a.b"], "layers": "ViT"}, {"source": "timm", "ids": ["hf-hub:me/c"], "layers": ["norm"]}]
    rows += [{"source": "huggingface", "ids": ["me/d"], "layers": "V-JEPA2", "pretraining_samples": {"me/d": 9}}]
    models = inventory(load_study({"study": "s", "results": "r", "models": rows}))
    assert list(models) == ["a.b", "c", "d"]
    assert models["a.b"].layers == LAYERS["ViT"] and models["c"].layers == ("norm",) and models["d"].layers == LAYERS["V-JEPA2"]
    assert models["c"].builder == TimmBuilder("hf-hub:me/c") and models["d"].n_samples == 9 and models["d"].family == "V-JEPA2"


def test_timm_models_of_the_paper_belong_to_two_families():
    """The published tables have four ConvNeXts and eight ViTs from timm."""
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text(encoding="utf-8"))
    rows = [row for row in config["models"] if row["source"] == "timm"]
    models = inventory(load_study({"study": "s", "results": "r", "models": rows}))
    assert Counter(model.family for model in models.values()) == {"ConvNeXt": 4, "ViT": 8}
    assert all(model.family == ("ConvNeXt" if id.startswith("convnext") else "ViT") for id, model in models.items())


@pytest.mark.parametrize(
    ("arch", "family"),
    {
        "resnetv2_50x1_bit": "ResNet",
        "wide_resnet50_2": "ResNet",
        "test_vit": "ViT",
        "deit3_base_patch16_224": "ViT",
        "tf_efficientnetv2_s": "EfficientNet",
        "efficientvit_b0": "efficientvit",
        "swinv2_base_window8_256": "swin",
        "tiny_vit_21m_224": "tiny_vit",
        "res2net50_26w_4s": "res2net",
        "resnext50_32x4d": "resnext",
        "davit_base": "davit",
    }.items(),
)
def test_the_name_of_an_architecture_tells_its_family(arch, family):
    own = {"source": "checkpoint", "id": "mine", "file": "w.pt", "timm": arch, "classes": 2, "layers": ["norm"]}
    rows = [{"source": "timm", "ids": [f"{arch}.tag", f"hf-hub:me/{arch}"], "layers": "ViT"}, own]
    models = inventory(load_study({"study": "s", "results": "r", "models": rows}))
    assert {model.family for model in models.values()} == {family}
    named = inventory(load_study({"study": "s", "results": "r", "models": [row | {"family": "Mine"} for row in rows]}))
    assert {model.family for model in named.values()} == {"Mine"}


def test_a_pattern_or_a_number_of_samples_for_no_model_is_refused():
    suite = {"source": "spvvs", "path": "nowhere", "only": ["resnet18_*", "resnet17_*"]}
    with pytest.raises(InputError, match=r"resnet17_\*, which no published checkpoint matches"):
        inventory(load_study({"study": "s", "results": "r", "models": [suite]}))
    timm = {"source": "timm", "ids": ["resnet18.a1_in1k"], "layers": ["x"], "pretraining_samples": {"resnet19": 5}}
    with pytest.raises(InputError, match=r"models\.0\.pretraining_samples\n.*resnet19\n.*one of `ids`"):
        load_study({"study": "s", "results": "r", "models": [timm]})


@pytest.mark.slow
def test_an_adversarial_copy_is_planned_behind_its_original(tmp_path):
    """The config gives the model, its recipe, layers and first weights, and the jobs that Snakemake plans."""
    config = yaml.safe_load(COMPLETE.read_text()) | {"results": str(tmp_path / "results")}
    config["models"][0]["adversarial"] = {"architectures": ["resnet_base"], "recipe": {"preset": "adversarial", "steps": 40}}
    plan = Plan(config)
    (copy,) = [model for model in plan.models.inventory.values() if model.begins_with]
    assert copy.id.startswith("adv_resnet_base_objects_full_ffgsm_eps-") and copy.id.endswith("-steps40_seed-0")
    original = plan.models.inventory[copy.begins_with]
    assert original.id == copy.reference == "resnet_base_objects_full_seed-0"
    assert plan.models.base_weights(copy.id) == [original.checkpoint] and plan.models.base_weights(original.id) == []
    assert plan.models.recipe(copy.id).attack and not plan.models.recipe(original.id).attack
    assert plan.models.training_length(copy.id).images_seen < plan.models.training_length(original.id).images_seen
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
    stimuli = next(iter(plan.data.stimuli))
    command = [sys.executable, "-m", "snakemake", f"{plan.results}/alignment/{stimuli}/{copy.id}.parquet", "-n"]
    command += ["--configfile", str(tmp_path / "study.yaml")]
    planned = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert planned.returncode == 0, planned.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", planned.stdout, re.MULTILINE))
    assert jobs["train_backbone"] == "2" and jobs["sweep_features"] == "1", "the copy has the layers of its original"
