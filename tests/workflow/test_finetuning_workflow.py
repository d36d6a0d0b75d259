"""Fine-tuning as part of a study: which models there are, how they are made and scored, and their table."""

import json
import re
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from finetuning_data import VIT, committed, pretrained, recordings, write_stimuli, write_task
from hypothesis import given
from hypothesis import strategies as st
from places import COMPLETE, ROOT
from scripts import script

from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.subjects import load_targets
from cortexscale.alignment.targets import prepare_responses
from cortexscale.commitments import Commitments
from cortexscale.costs import PRESETS
from cortexscale.errors import InputError
from cortexscale.estimate.networks import networks
from cortexscale.estimate.sizes import ExpectedSizes
from cortexscale.estimate.stages import Estimate
from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.features.store import FeatureStore
from cortexscale.models.build import build_backbone, load_backbone, weights_hash
from cortexscale.models.finetuned import baseline, finetuned_model, tunings
from cortexscale.models.layers import candidate_layers, chosen_layers
from cortexscale.models.model import Model
from cortexscale.models.tuning import TunedModel, Tuning
from cortexscale.plan import Plan
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages
from cortexscale.stores import read_table, write_table
from cortexscale.study import load_study
from cortexscale.study.experiments import Finetuning, Metrics
from cortexscale.study.features import Projection
from cortexscale.study.images import ImageFiles
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets

BASE = "vit_base_objects_full_seed-0"
PAPER = yaml.safe_load((ROOT / "config/paper.yaml").read_text())


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(COMPLETE.read_text())
    section = {
        "targets": {"tvsd": ["IT"], "things_fmri": ["IT"]},
        "seeds": [0, 1],
        "experiments": {"data_pct": {"models": [BASE]}},
    }
    return config | {"finetuning": section, "figures": []}


# ---------------------------------------------------------------------------------------------- which models there are


def test_an_id_says_what_a_model_is_trained_on(demo):
    demo["finetuning"] |= {
        "recipes": {"full": {}, "lora_r8": {"lora": {"rank": 8}}},
        "seeds": [3],
        "experiments": {
            "data_pct": {"models": [BASE], "datasets": ["tvsd"], "percent": [0.5, 100]},
            "region": {"models": [BASE], "rois": {"things_fmri": [["IT", "V1"], ["IT"]]}},
            "subject": {"models": [BASE], "datasets": ["things_fmri"], "subjects": [2], "permuted": True},
            "lora": {"models": [BASE], "datasets": ["tvsd"], "recipes": ["lora_r8"]},
        },
    }
    assert list(Plan(demo).finetuning.finetuned) == [
        f"{BASE}+full-tvsd-0.5-s3",
        f"{BASE}+full-tvsd-100-s3",
        f"{BASE}+full-things_fmri-V1_IT-100-s3",
        f"{BASE}+full-things_fmri-100-s3",
        f"{BASE}+full-things_fmri-2subjects-permuted-100-s3",
        f"{BASE}+lora_r8-tvsd-100-s3",
    ]


def test_a_model_of_two_experiments_is_made_once(demo):
    other = "resnet_base_objects_full_seed-0"
    demo["finetuning"]["experiments"] = {
        "data_pct": {"models": [BASE], "percent": [10, 100]},
        "architecture": [{"models": [BASE, other], "datasets": ["tvsd"]}, {"models": [BASE], "percent": [100]}],
    }
    plan = Plan(demo).finetuning
    wanted = Counter(tuple(names) for names in plan.experiments.values())
    assert wanted == {("data_pct",): 4, ("data_pct", "architecture"): 4, ("architecture",): 2}
    assert len(plan.finetuned) == 10 and list(plan.evaluated)[:2] == [f"{BASE}+baseline", f"{other}+baseline"]


DATASETS = load_study(yaml.safe_load(COMPLETE.read_text())).datasets
ROI_SETS = st.lists(st.sampled_from(["V1", "V4", "IT"]), min_size=1, unique=True)
NUMBERS = st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True)
GRID = st.fixed_dictionaries(
    {
        "models": st.lists(st.sampled_from(["a", "b_full_seed-0"]), min_size=1, max_size=2, unique=True),
        "rois": st.dictionaries(
            st.sampled_from(["tvsd", "things_fmri"]),
            st.lists(
                st.lists(st.sampled_from(["V1", "V4", "IT"]), min_size=1, unique=True), min_size=1, max_size=3, unique_by=tuple
            ),
            min_size=1,
        ),
        "recipes": st.lists(st.sampled_from(["full", "lora"]), min_size=1, max_size=2, unique=True),
        "percent": st.lists(st.sampled_from([0.25, 1, 10, 100]), min_size=1, max_size=3, unique=True),
        "subjects": st.none() | st.lists(st.integers(1, 3), min_size=1, max_size=2, unique=True),
        "seeds": NUMBERS,
        "permuted": st.booleans(),
    }
)


@given(st.lists(GRID, min_size=1, max_size=3, unique_by=repr))
def test_ids_are_one_to_one_whatever_the_grids(grids):
    targets = {"tvsd": ["IT"], "things_fmri": ["V4", "IT"]}
    section = Finetuning(targets=targets, recipes={"full": {}, "lora": {}}, experiments={"e": grids})
    models, experiments = tunings(section, DATASETS)
    assert len(set(models.values())) == len(models) and experiments.keys() == models.keys()
    wanted = set()
    for grid in grids:
        fitted = [(name, frozenset(rois)) for name, sets in grid["rois"].items() for rois in sets]
        axes = (grid["models"], grid["recipes"], fitted, grid["subjects"] or [None], grid["percent"], grid["seeds"])
        wanted |= {(*one, grid["permuted"]) for one in product(*axes)}
    assert len(models) == len(wanted)
    assert all(re.fullmatch(r"[\w.+-]+", id) for id in models)


def test_two_models_with_one_id_are_refused(demo):
    """A recipe that is called like the rest of an id."""
    demo["finetuning"]["recipes"] = {"full": {}, "full-tvsd": {"epochs": 30}}
    demo["datasets"]["V1"] = demo["datasets"]["tvsd"] | {"path": "elsewhere"}
    demo["simulation"]["datasets"].pop("tvsd")
    demo["finetuning"]["experiments"] = {
        "region": {"models": [BASE], "rois": {"tvsd": [["V1"]]}},
        "explore": {"models": [BASE], "rois": {"V1": [["IT"]]}, "recipes": ["full-tvsd"]},
    }
    demo["finetuning"]["targets"]["V1"] = ["IT"]
    with pytest.raises(InputError, match="two different models with the id"):
        Plan(demo | {"plan_without_data": True})


def test_the_grid_of_the_paper():
    plan = Plan(PAPER).finetuning
    found = Counter(name for names in plan.experiments.values() for name in names)
    datasets, seeds, regions, fractions, rates, ranks = 6, 3, 4, 9, 5, 3
    assert found == {
        "data_pct": datasets * fractions * seeds,
        "architecture": 3 * datasets * seeds,
        "region": 3 * regions * seeds,
        "subject": 7 * seeds,
        "ablation": datasets * seeds,
        "explore": (2 + 3 * rates) * datasets * seeds,  # two larger models; epochs x learning rates
        "lora": ranks * 3 * datasets,
    }
    assert len(plan.finetuned) == 606, "those of several experiments once"
    assert all(re.fullmatch(r"[\w.+-]+", id) for id in plan.evaluated)
    usual = plan.recipe("deit_small_imagenet_full_seed-0+full-nsd-100-s2")
    table_s3 = {
        "epochs": 20,
        "learning_rate": 1e-5,
        "image_batch": 512,
        "neural_batch": 256,
        "lambda_img": 0.1,
        "lambda_neural": 100,
    }
    assert table_s3.items() <= usual.model_dump().items()
    assert plan.image_recipe("resnet50_imagenet_full").crop == 0.08
    assert plan.image_recipe("deit_small_imagenet_full_seed-0").auto_augment == "3a"
    assert (len(plan.stimuli), len(plan.evaluated)) == (4, 606 + 5)


def test_fine_tuned_models_are_no_models_of_the_pretraining_axes(demo):
    plan = Plan(demo)
    assert "finetuning" in plan.tables.names and not [model for model in plan.models.inventory if "+" in model]
    without = Plan(demo | {"finetuning": None})
    assert without.finetuning is None and "finetuning" not in without.tables.names
    assert without.models.inventory == plan.models.inventory and without.models.references == plan.models.references


def test_heads_are_fitted_to_what_any_experiment_wants(demo):
    demo["finetuning"]["experiments"]["region"] = {"models": [BASE], "rois": {"tvsd": [["V4", "V1"]]}}
    plan = Plan(demo).finetuning
    assert plan.head_targets(BASE, "tvsd").rois == ["V1", "V4", "IT"]
    assert plan.head_targets(BASE, "things_fmri").rois == ["IT"]
    assert plan.targets(f"{BASE}+full-tvsd-V1_V4-100-s0").rois == ["V1", "V4"]


def test_models_are_scored_on_the_benchmarks(demo):
    assert Plan(demo).finetuning.stimuli == ["things", "nsd", "textures", "hvm"]
    demo["finetuning"]["benchmarks"] = ["majajhong", "tvsd"]
    plan = Plan(demo).finetuning
    assert plan.stimuli == ["things", "hvm"] and list(plan.scored("things")) == plan.benchmarks_on("things") == ["tvsd"]


def published(demo: dict) -> dict:
    models = [{"source": "spvvs", "path": "c", "only": ["resnet18_imagenet_full"]}]
    models.append({"source": "timm", "ids": ["swin_tiny_patch4_window7_224"], "layers": ["norm"]})
    demo |= {"models": models, "mapping": None, "projection_study": None, "plan_without_data": True}
    demo["finetuning"]["experiments"]["data_pct"]["models"] = ["resnet18_imagenet_full"]
    return demo


def test_labelled_images_come_with_the_suite_or_with_the_section(demo):
    images = Plan(demo).finetuning.images(BASE)
    assert images == "results_complete/raw/task_images.npz"
    with pytest.raises(InputError, match=r"finetuning\.images\n.*none for resnet18_imagenet_full"):
        Plan(published(demo))
    demo["finetuning"]["recipes"] = {"full": {"lambda_img": 0}}
    assert Plan(demo).finetuning.images_of("resnet18_imagenet_full+full-tvsd-100-s0") is None
    demo["finetuning"] |= {"recipes": {"full": {}}, "images": "imagenet"}
    assert Plan(demo).finetuning.images("resnet18_imagenet_full") == "imagenet"
    with pytest.raises(InputError, match="imagenet"):
        Plan(demo | {"plan_without_data": False})


def test_images_are_augmented_as_in_pretraining(demo):
    assert Plan(demo).finetuning.image_recipe(BASE).batch == 32, "the suite's"
    demo["finetuning"]["images"] = "imagenet"
    assert Plan(published(demo)).finetuning.image_recipe("resnet18_imagenet_full").micro_batch == 256
    demo["finetuning"]["image_recipe"] = {"crop": 0.5}
    recipe = Plan(demo).finetuning.image_recipe("resnet18_imagenet_full")
    assert (recipe.crop, recipe.optimiser) == (0.5, "sgd")
    demo["finetuning"] |= {"image_recipe": None, "experiments": {"e": {"models": ["swin_tiny_patch4_window7_224"]}}}
    with pytest.raises(InputError, match=r"image_recipe\n.*swin_tiny_patch4_window7_224 of the family swin"):
        Plan(demo)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["targets"].update(tsvd=["IT"]), r"finetuning\.targets\n.*tsvd\n.*a dataset of the config"),
        (lambda s: s["targets"].update(tvsd=["IT", "V9"]), r"finetuning\.targets\.tvsd\n.*V9\n.*an ROI of the dataset: V1"),
        (lambda s: s.update(benchmarks=["tvsd", "nds"]), r"finetuning\.benchmarks\n.*nds\n(.*\n)*.*did you mean `nsd`"),
        (
            lambda s: s["experiments"]["data_pct"].update(models=["vit_bas_objects_full_seed-0"]),
            r"experiments\.data_pct\.models\n.*vit_bas_.*\n.*: vit_base",
        ),
        (
            lambda s: s["experiments"]["data_pct"].update(recipes=["ful"]),
            r"experiments\.data_pct\.recipes\n.*ful\n.*: full.*\n.*did you mean `full`",
        ),
        (
            lambda s: s["experiments"]["data_pct"].update(datasets=["nsd"]),
            r"data_pct\.datasets\n.*nsd\n.*ROIs are given in finetuning\.targets",
        ),
        (
            lambda s: s["experiments"]["data_pct"].update(rois={"tvsd": [["V2"]]}),
            r"data_pct\.rois\.tvsd\n.*V2\n.*V1, V4",
        ),
        (
            lambda s: s["experiments"]["data_pct"].update(subjects=[1, 3]),
            r"data_pct\.subjects\n.*3\n.*at most 2, the subjects of tvsd",
        ),
        (lambda s: s["experiments"]["data_pct"].update(percents=[3]), r"data_pct\.percents\n(.*\n)*.*did you mean `percent`\?"),
        (lambda s: s.update(recipes={"full": {"epoch": 3}}), r"recipes\.full\.epoch\n(.*\n)*.*did you mean `epochs`\?"),
        (lambda s: s.update(recipes={"full": {"epochs": 3}}), r"recipes\.full\.warmup_epochs\n.*5\n.*fewer than the 3 epochs"),
        (
            lambda s: s["experiments"].update(explore=[{"models": [BASE]}, {"models": [BASE], "recipes": ["long"]}]),
            r"experiments\.explore\.1\.recipes\n.*long\n",
        ),
    ],
)
def test_what_a_section_names_must_be_there(demo, change, message):
    change(demo["finetuning"])
    with pytest.raises(InputError, match=message):
        Plan(demo | {"plan_without_data": True})


# ---------------------------------------------------------------------------------------------- the networks


def entry(**changes) -> Model:
    return replace(VIT, dataset="objects", samples_per_class=0, seed=0, **changes)


@pytest.mark.parametrize("source", ["suite", "timm", "checkpoint"])
def test_a_fine_tuned_model_is_its_base_with_other_weights(tmp_path, source):
    base = entry(source=source)
    torch.manual_seed(1)
    network = build_backbone(base).network
    torch.save(network.state_dict(), tmp_path / "new.pt")
    model = finetuned_model("vit+full-d-100-s0", base, str(tmp_path / "new.pt"))
    backbone = load_backbone(model)
    assert weights_hash(backbone.network) == weights_hash(network) and not backbone.network.training
    assert str(backbone.transform) == str(build_backbone(base).transform)
    assert (model.reference, model.layers) == (base.reference, base.layers)


def test_a_baseline_is_its_base_model_under_another_id(tmp_path):
    torch.save(pretrained().network.state_dict(), tmp_path / "base.pt")
    base = entry(checkpoint=str(tmp_path / "base.pt"))
    again = baseline(base)
    assert again.id == "vit+baseline"
    assert weights_hash(load_backbone(again).network) == weights_hash(pretrained().network)


# ---------------------------------------------------------------------------------------------- from a recording to the table

RIDGE = Ridge(precision="float64")
ROIS = DatasetTargets(["V4", "IT"])
LAYERS = {"V4": "blocks.1", "IT": "norm"}
PLAIN = {"subjects": None, "permuted": False, "percent": 100, "seed": 0}
BRIEF = {"epochs": 2, "warmup_epochs": 1, "learning_rate": 1e-3, "min_learning_rate": 1e-5, "image_batch": 16, "neural_batch": 32}


class World:
    """A results folder with pictures, recordings, commitments and a base model."""

    def __init__(self, root: Path):
        self.root, self.pictures = root, ImageFiles(layout="image_folder", path=str(root / "images"))
        pictures, table = write_stimuli(root / "images", 140, seed=3)
        self.stimuli, self.table = root / "stimuli.parquet", table
        write_table(table, self.stimuli, {})
        self.images = write_task(root / "task.npz")
        weights = root / "vit.pt"
        torch.save(pretrained().network.state_dict(), weights)
        self.base = entry(checkpoint=str(weights))
        self.recordings = []
        for recording in recordings(pictures, table, 40, dataset="d"):
            self.recordings.append(root / f"neural/d/{recording.subject}.h5")
            self.recordings[-1].parent.mkdir(parents=True, exist_ok=True)
            recording.save(self.recordings[-1])
        self.commitments = root / "commitments.json"
        layers = {roi: replace(layer, margin=0.1) for roi, layer in committed(LAYERS).items()}
        Commitments("vit", {"d": layers, "unwanted": layers}).save(self.commitments, {})
        self.prepared = root / "prepared.h5"
        self.targets = load_targets(self.recordings, {"d": ROIS}, table)
        prepare_responses(self.targets, ["test"], self.prepared, {})

    @property
    def how(self) -> dict:
        """Arguments that all scripts take."""
        inputs = {"stimuli": self.stimuli, "recordings": self.recordings, "commitments": self.commitments}
        return inputs | {"images": self.pictures, "ridge": RIDGE, "threads": 1, "code": "code"}

    def heads(self) -> Path:
        heads, network = self.root / "heads/d", {"model": self.base, "precision": "float32", "batch_size": 64}
        outputs = {"heads": heads, "table": self.root / "heads/d.parquet"}
        script("finetuning_heads").main(**outputs, **network, dataset="d", targets=ROIS, left_out=[], **self.how)
        return heads

    def finetune(self, id: str, **tuning) -> Model:
        weights = self.root / f"models/{id}.pt"
        told = {"dataset": "d", "rois": ("V4", "IT"), "percent": 100, "seed": 0, "subjects": None, "permuted": False} | tuning
        files = {"heads": self.root / "heads/d", "labelled_images": self.images}
        recipes = {"recipe": NeuralRecipe(**BRIEF), "image_recipe": Recipe(steps=1)}
        script("finetune").main(
            weights=weights,
            card=weights.with_suffix(".json"),
            base=self.base,
            tuning=Tuning(base="vit", recipe="full", **told),
            targets=ROIS,
            heads_code="code",
            left_out=[],
            **files,
            **recipes,
            **self.how,
        )
        return finetuned_model(id, self.base, str(weights))

    def score(self, model: Model) -> Path:
        table = self.root / f"alignment/{model.id}.parquet"
        network = {"model": model, "precision": "float32", "scratch_gb": 1, "batch_size": 64}
        scored = {"prepared": self.prepared, "datasets": {"d": ROIS}, "metrics": Metrics()}
        outputs = {"table": table, "units": table.with_suffix(".units.parquet")}
        script("finetuned_alignment").main(**outputs, **network, **scored, **self.how)
        return table


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    made.heads()
    return made


@pytest.fixture(scope="module")
def finetuning(world) -> pd.DataFrame:
    """The table of a fine-tuned model that two experiments want, its control and its base model."""
    tunings = {"vit+full-d-100-s0": {}, "vit+full-d-permuted-50-s1": {"percent": 50, "seed": 1, "permuted": True, "subjects": 1}}
    models = [world.finetune(id, **tuning) for id, tuning in tunings.items()]
    cards = pd.DataFrame(
        {
            "model_id": ["other", "vit"],
            "backbone_arch": ["x", "vit"],
            "backbone_n_params": [1, 2],
            "task_evaluation_acc": [0.1, 0.2],
        }
    )
    write_table(cards, world.root / "cards.parquet", {})
    recipes = [NeuralRecipe(**BRIEF, lora={"rank": 4} if tuning else None) for tuning in tunings.values()]
    facts = {
        id: TunedModel(Tuning("vit", "full", "d", ("V4", "IT"), **(PLAIN | tuning)), recipe, experiments)
        for (id, tuning), recipe, experiments in zip(
            tunings.items(), recipes, [("data_pct", "architecture"), ("ablation",)], strict=True
        )
    }
    scores = [world.score(model) for model in (baseline(world.base), *models)]
    tuned = [world.root / f"models/{model.id}.json" for model in models]
    table = world.root / "finetuning.parquet"
    images = world.root / "split_images.parquet"
    script("split_images").main(
        recordings=world.recordings, stimuli=[world.stimuli], datasets={"d": "stimuli"}, table=images, code="code"
    )
    script("collect_finetuning").main(
        alignment=scores,
        tuned=tuned,
        cards=world.root / "cards.parquet",
        split_images=images,
        models=facts,
        left_out=[],
        table=table,
        code="code",
    )
    return read_table(table)


def test_the_table_has_a_row_for_each_experiment_that_wants_a_model(finetuning):
    rows = finetuning.groupby(["exp_type", "model_id"]).size()
    assert rows.to_dict() == {
        ("finetuning_baseline", "vit"): 4,
        ("finetuning_data_pct", "vit+full-d-100-s0"): 4,
        ("finetuning_architecture", "vit+full-d-100-s0"): 4,
        ("finetuning_ablation", "vit+full-d-permuted-50-s1"): 4,
    }
    assert (finetuning["base_model_id"] == "vit").all() and (finetuning["backbone_n_params"] == 2).all()
    assert set(finetuning["benchmark_name"]) == {"d"} and finetuning[["pearsonr_nc", "rsa_c_test"]].notna().all(axis=None)


def test_the_table_says_how_a_model_was_made(finetuning, world):
    baseline, whole, control = (
        finetuning[finetuning["exp_type"] == f"finetuning_{kind}"].iloc[0] for kind in ("baseline", "data_pct", "ablation")
    )
    of_run = ["finetuning_dataset", "finetuning_regions", "finetuning_subjects", "data_pct", "fitting_samples", "seed", "epochs"]
    assert baseline[[*of_run, "learning_rate", "lora_rank"]].isna().all()
    assert whole[of_run].tolist() == ["d", "V4_IT", "all", 100, 100, 0, 2]
    assert control[of_run].tolist() == ["d", "V4_IT", "randsubj_1", 50, 50, 1, 2]
    assert not whole["random_shuffle"] and control["random_shuffle"] and whole["arch"] == "vit"
    assert whole[["lora_rank", "lora_target_modules", "lora_update_head"]].isna().all()
    adapters = ["lora_rank", "lora_alpha", "lora_dropout", "lora_target_modules", "lora_update_head"]
    assert control[adapters].tolist() == [4, 32, 0.1, "qkv,fc1,fc2", True]
    card = json.loads((world.root / "models/vit+full-d-100-s0.json").read_text())
    assert baseline["task_evaluation_acc"] == card["task_evaluation_acc_before"] != 0.2, "measured, on the same images"
    assert whole["task_evaluation_acc"] == card["task_evaluation_acc"]
    of_control = json.loads((world.root / "models/vit+full-d-permuted-50-s1.json").read_text())
    assert (len(card["subjects"]), len(of_control["subjects"])) == (2, 1)
    assert whole["n_trainable_params"] == sum(value.numel() for value in pretrained().network.parameters())


def test_heads_and_fine_tuning_raise_alignment(finetuning, world):
    heads = read_table(world.root / "heads/d.parquet")
    assert len(heads) == 4 and (world.root / "heads/d/s0/IT.safetensors").exists()
    scores = finetuning.groupby("exp_type")["pearsonr_nc"].mean()
    baseline = finetuning[finetuning["exp_type"] == "finetuning_baseline"].set_index(["subject", "roi"])["pearsonr"]
    np.testing.assert_allclose(heads.set_index(["subject", "roi"])["pearsonr"].reindex(baseline.index), baseline, atol=1e-3)
    assert scores["finetuning_data_pct"] > scores["finetuning_baseline"] > scores["finetuning_ablation"]


def test_scores_are_those_of_all_activations_in_the_usual_pipeline(finetuning, world, tmp_path):
    """Features that are projected to more dimensions than there are activations are these."""
    backbone = load_backbone(world.base)
    layers = chosen_layers(candidate_layers(backbone.network, VIT.layers), set(LAYERS.values()), "here")
    images = StimulusImages(world.pictures.layout, world.pictures.path, world.table)
    projection = Projection(dimensions=10**6, seed=0)
    passes = ForwardPasses(backbone, images, {}, 64)
    extract_features(passes, layers, tmp_path / "f.zarr.zip", projection=projection, made_by={})
    places = Commitments.load(world.commitments).restricted(["d"])
    rows, _ = score_alignment(FeatureStore(tmp_path / "f.zarr.zip"), world.targets, places, RIDGE)
    found = finetuning[finetuning["exp_type"] == "finetuning_baseline"].set_index(["subject", "roi"])
    expected = rows.set_index(["subject", "roi"]).reindex(found.index)
    for column in ("pearsonr", "pearsonr_nc", "alpha", "n_train"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-6)
    assert (found["layer_name"] == expected["layer_name"]).all()


# ---------------------------------------------------------------------------------------------- what it takes


def estimated(**experiment) -> dict:
    """Stages of the paper's study with one base model and one experiment."""
    config = PAPER | {"models": [{"source": "spvvs", "path": "c", "only": ["deit_tiny_imagenet_full_seed-0"]}]}
    grid = {"models": ["deit_tiny_imagenet_full_seed-0"], "datasets": ["tvsd"], "seeds": [0], **experiment}
    section = {"targets": {"tvsd": ["IT"], "nsd": ["ventral"]}, "images": "i", "experiments": {"e": grid}}
    config |= {"mapping": None, "projection_study": None, "figures": [], "finetuning": section}
    plan = Plan(config, {"estimate"})
    found = Estimate(plan, ExpectedSizes(plan, networks(plan.models.inventory.values())), PRESETS["h200"]).stages()
    return {stage.name: stage for stage in found}


def test_the_estimate_counts_every_job_and_grows_with_data_and_seeds():
    one, more = estimated(), estimated(percent=[50, 100], seeds=[0, 1])
    assert [len(one[name].seconds) for name in ("finetuning_heads", "finetune", "finetuned_alignment")] == [1, 1, 4 * 2]
    assert [len(more[name].seconds) for name in ("finetuning_heads", "finetune", "finetuned_alignment")] == [1, 4, 4 * 5]
    start = PRESETS["h200"].start_network
    whole = one["finetune"].seconds[0] - start
    assert sum(more["finetune"].seconds) - 4 * start == pytest.approx(3 * whole, rel=0.02), "but for partial batches"
    assert more["finetuned_alignment"].disk == pytest.approx(one["finetuned_alignment"].disk * 5 / 2)


def test_a_subject_more_is_forwarded_on_its_own_stimuli():
    """In NSD; subjects of THINGS share theirs."""
    start = PRESETS["h200"].start_network
    few, many = (estimated(datasets=["nsd"], subjects=[k])["finetune"].seconds[0] - start for k in (2, 8))
    assert few < many < 4 * few
    one, two = (estimated(subjects=[k])["finetune"].seconds[0] for k in (1, 2))
    assert one == pytest.approx(two, rel=0.1)
