"""Repeated names, words that YAML misreads, paths with ~ and variables, and impossible numbers are right or refused."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from places import COMPLETE, ROOT

from cortexscale.errors import InputError, InputErrors
from cortexscale.plan import Plan
from cortexscale.section import apart, each_once, expanded
from cortexscale.study import load_study, read_study
from cortexscale.study.checks import repeated_keys

DEMO = yaml.safe_load(COMPLETE.read_text(encoding="utf-8"))
OWN = {"source": "python", "id": "own", "file": "model.py", "family": "Gabor", "layers": ["simple"]}


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    monkeypatch.chdir(tmp_path)
    return copy.deepcopy(DEMO)


def changed(config: dict, path: str, value: object) -> dict:
    """Return the config with a value at a dotted path, whose parts may be numbers of a list."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = config
    for part in parents:
        place = place[part]
    place[last] = value
    return config


def problems(config: dict) -> dict[str, InputError]:
    return {problem.where.removeprefix("config key "): problem for problem in read_study(config).problems.found}


# ------------------------------------------------------------------------------------------ lists and names


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        ("datasets.tvsd.subjects", ["monkeyF", "monkeyF"], "monkeyF twice"),
        ("datasets.tvsd.subjects", ["monkeyF", "MonkeyF"], "monkeyF and MonkeyF"),
        ("datasets.tvsd.rois", ["V4", "IT", "V4"], "V4 twice"),
        ("datasets.tvsd.rois", ["caf\u00e9", "cafe\u0301"], "twice"),
        ("models.0.samples_per_class", [0, 8, 8], "8 twice"),
        ("models.0.seeds", [0, 0], "0 twice"),
        ("models.0.architectures.vit_base.layers", ["norm", "norm"], "norm twice"),
        ("mapping.datasets", ["tvsd", "tvsd"], "tvsd twice"),
        ("mapping.readouts", ["linear_individual"] * 2, "linear_individual twice"),
        ("mapping.percent", [50, 50.0], "50.0 twice"),
        ("projection_study.models.vit_base_objects_full_seed-0", [32, 32], "32 twice"),
        ("projection_study.stimuli", ["things", "things"], "things twice"),
        ("metrics.similarity", ["test", "test"], "test twice"),
        ("finetuning.seeds", [1, 1], "1 twice"),
        ("finetuning.targets.tvsd", ["IT", "IT"], "IT twice"),
        ("finetuning.benchmarks", ["tvsd", "tvsd"], "tvsd twice"),
        ("finetuning.experiments.region.rois.tvsd", [["V1"], ["V1"]], "['V1'] twice"),
        ("finetuning.recipes.lora.lora.targets", ["qkv", "qkv"], "qkv twice"),
        ("figures", ["fig2", "fig3", "fig2"], "fig2 twice"),
    ],
)
def test_an_entry_that_is_listed_twice_is_reported_with_its_key(demo, path, value, found):
    assert found in problems(changed(demo, path, value))[path].found


def test_equal_grids_and_sources_are_reported(demo):
    explore = demo["finetuning"]["experiments"]["explore"]
    explore.append(copy.deepcopy(explore[0]))
    assert problems(demo)["finetuning.experiments.explore"].found == "two equal sections"
    demo = copy.deepcopy(DEMO)
    demo["models"].append(copy.deepcopy(demo["models"][0]))
    assert problems(demo)["models"].found == "two equal sections"


@pytest.mark.parametrize("section", ["datasets", "stimuli", "finetuning.recipes", "finetuning.experiments"])
def test_keys_that_are_one_file_on_a_disk_that_ignores_case_are_reported(demo, section):
    of = demo
    for part in section.split("."):
        of = of[part]
    name = next(iter(of))
    of[name.upper()] = copy.deepcopy(of[name])
    assert problems(demo)[section].found == f"{name} and {name.upper()}"


@pytest.mark.parametrize("name", ["my data", "a/b", "..", ".hidden", "{model}", "a*", "naïve", "-x", "", "a" * 201])
def test_names_that_are_no_names_of_files_are_reported(demo, name):
    demo["datasets"][name] = demo["datasets"]["tvsd"]
    assert "letters, digits" in problems(demo)[f"datasets.{name}"].expected


def test_ids_of_models_are_names_of_files(demo):
    demo["models"] += [
        {"source": "timm", "ids": ["local-dir:/models/my model", "resnet18.a1_in1k"], "layers": ["layer1"]},
        OWN | {"id": "ResNet18.a1_in1k", "file": str(ROOT / "docs/example_model.py")},
    ]
    with pytest.raises(InputErrors) as raised:
        Plan(demo)
    assert "the id 'my model'" in str(raised.value)
    assert "the ids resnet18.a1_in1k and ResNet18.a1_in1k" in str(raised.value)


def test_ids_of_fine_tuned_models_are_names_of_files(demo):
    demo["models"].append(OWN | {"id": "m" * 190, "file": str(ROOT / "docs/example_model.py")})
    demo["finetuning"]["experiments"]["own"] = {"models": ["m" * 190], "recipes": ["responses_alone"]}
    with pytest.raises(InputError, match=r"finetuning\.experiments\.own\n[\s\S]*at most 200 characters"):
        Plan(demo)


def test_lists_without_repetition_are_kept():
    assert each_once([1, 2.5, "a", "A"]) == [1, 2.5, "a", "A"] and apart({"a": 1, "b": 2}) == {"a": 1, "b": 2}


# ------------------------------------------------------------------------------------------ what YAML makes of words


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("subjects: [NO, monkeyN]", "datasets.tvsd.subjects.0", "('no')"),
        ("rois: [on]", "datasets.tvsd.rois.0", "('no')"),
        ("subjects: [01]", "datasets.tvsd.subjects.0", "'1'"),
        ("label: 2024-03-01", "datasets.tvsd.label", "a date"),
        ("label: 1.10", "datasets.tvsd.label", "a number"),
        ("path:", "datasets.tvsd.path", "give a value"),
        ("best_subjects: {count: yes, roi: V1}", "datasets.tvsd.best_subjects.count", "('no')"),
    ],
)
def test_words_that_yaml_takes_for_something_else_are_to_be_quoted(demo, text, key, remedy):
    demo["datasets"]["tvsd"] |= yaml.safe_load(text)
    assert remedy in problems(demo)[key].remedy


def test_a_key_that_yaml_takes_for_a_truth_value_or_number_is_to_be_quoted(demo):
    demo["datasets"] |= yaml.safe_load("{no: {}, 12: {}}")
    found = problems(demo)
    assert "('no')" in found["datasets.False"].remedy and "'12'" in found["datasets.12"].remedy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("features.batch_size", True),
        ("mapping.percent", [True, 50]),
        ("ridge.alphas.low", float("nan")),
        ("fits.delta", float("inf")),
        ("mapping.seeds", [False]),
    ],
)
def test_truth_values_nan_and_infinity_are_no_numbers(demo, path, value):
    found = problems(changed(demo, path, value))
    assert [key for key in found if key.startswith(path)] and all("correct" in found[key].remedy for key in found)


def test_an_exponent_without_a_dot_is_a_number(demo):
    demo["fits"]["delta"] = yaml.safe_load("1e-3")
    assert load_study(demo).fits.delta == 1e-3


@pytest.mark.parametrize("text", ["datasets: []", "datasets:", "models: {source: timm}", "fits: [1]", "ridge: 3", "figures: {}"])
def test_a_section_of_another_shape_is_one_problem(demo, text):
    given = yaml.safe_load(text)
    assert set(problems(demo | given)) == set(given)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfstudy: a\r\nresults: b\r\nstudy: c\r\n",
        "study: a\nresults: b\n# \u00e9\nstudy: c\n".encode(),
        "study: a\nresults: b\nstudy: c\n".encode("utf-16"),
        b"study: a\nresults: b\nmore: {1: a, 0x1: b}\n",
        b"{study: a, results: b, 'study': c}",
    ],
)
def test_a_key_that_is_given_twice_is_found_in_every_encoding(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    assert len(list(repeated_keys([file]))) == 1


@pytest.mark.parametrize("content", [b"study: caf\xe9\n", b"\tstudy: a\n", b"a: 2024-13-45\n", b"", b"- 1\n", b"a: [\n"])
def test_a_file_that_is_no_config_is_left_to_snakemake(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    assert list(repeated_keys([file])) == []


def test_merged_maps_may_replace_keys(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: *a, x: 2}\nd: {<<: [*a, *b], y: 3}\n", encoding="utf-8")
    assert list(repeated_keys([file])) == []


# ------------------------------------------------------------------------------------------ paths


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("~/data", "/home/me/data"),
        ("$SCRATCH/a b", "/scratch/me/a b"),
        ("${SCRATCH}x/", "/scratch/mex"),
        ("data//raw/./x/", "data/raw/x"),
        ("a$$b", "a$b"),
        ("Données/日本", "Données/日本"),
    ],
)
def test_home_and_variables_are_expanded(monkeypatch, given, path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    assert expanded(given) == path


PATHS = ["results", "datasets.tvsd.path", "stimuli.things.path", "models.0.images", "finetuning.images", "datasets.tvsd.reader"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "value",
    [
        "$NOWHERE_AT_ALL/x.py",
        "${NOWHERE_AT_ALL}/x.py",
        "a $5 b.py",
        "~nobody_here/x.py",
        "a\nb.py",
        "{result}/x.py",
        "a/" + 256 * "x" + ".py",
    ],
)
def test_a_path_that_cannot_be_expanded_is_reported(demo, path, value):
    if path == "results":
        del demo["simulation"]
    assert path in problems(changed(demo, path, value))


def test_results_in_a_file_are_refused(demo):
    Path("results_complete").touch()
    with pytest.raises(InputError, match=r"config key results\n.*results_complete, which is a file"):
        Plan(demo)


def test_every_path_of_the_config_is_expanded(demo, monkeypatch):
    monkeypatch.setenv("DATA", "/data")
    del demo["simulation"]
    demo |= {"results": "$DATA/results", "figures": []}
    demo["datasets"]["tvsd"]["reader"] = "$DATA/reader.py"
    demo["models"] = [
        OWN | {"file": "$DATA/model.py", "checkpoint": "$DATA/model.pt"},
        {"source": "checkpoint", "id": "mine", "file": "$DATA/mine.pt", "classes": 3, "architecture": "resnet18"},
        {"source": "spvvs", "path": "$DATA/spvvs"},
    ]
    demo["layer_commitment"] = {"commit": "published", "file": "$DATA/layers.json"}
    demo["scores"] = {"path": "$DATA/scores.csv"}
    del demo["mapping"], demo["finetuning"], demo["projection_study"]
    study = load_study(demo)
    assert "$" not in json.dumps(study.model_dump(mode="json")).replace("\\\\.", "")
    assert study.datasets["tvsd"].path == "/data/results/raw/tvsd" and study.scores.path == "/data/scores.csv"


# ------------------------------------------------------------------------------------------ expressions and numbers


@pytest.mark.parametrize("pattern", [r"blocks.*(norm", "[a", "*norm", r"a\k", "(?P<x>a)(?P<x>b)", "a{99999999999}"])
@pytest.mark.parametrize("place", ["models.0.architectures.vit_base.layers", "models.2.layers"])
def test_a_regular_expression_is_tried_when_the_config_is_read(demo, pattern, place):
    demo["models"].append(copy.deepcopy(OWN))
    found = problems(changed(demo, place, [pattern]))
    assert any(key.startswith(place) and problem.expected == "a regular expression" for key, problem in found.items()), found


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("ridge.alphas", {"low": 7, "high": 1}, "ridge.alphas.low"),
        ("ridge.alphas.high", 400, "ridge.alphas.high"),
        ("ridge.folds.count", 1, "ridge.folds.count"),
        ("ridge.folds.count", 500, "at most 216, the training stimuli of freemanziemba"),
        ("metrics.pls_components", 600, "below 216, the training stimuli of freemanziemba"),
        ("mapping.percent", [0.1, 50], "mapping.percent"),
        ("mapping.percent", [101], "mapping.percent"),
        ("mapping.validation_fraction", 0.001, "mapping.validation_fraction"),
        ("finetuning.experiments.data_pct.percent", [0.1], "finetuning.experiments.data_pct.percent"),
        ("finetuning.recipes.full.loss", "mae2", "finetuning.recipes.full.loss"),
        ("models.0.samples_per_class", [0, 1000], "at most 4096 images in all"),
        ("models.0.recipe.auto_augment", "rnd-m9", "augmentation of timm"),
        ("simulation.seed", -1, "simulation.seed"),
        ("fits.seed", 2**32, "fits.seed"),
        ("fits.bootstraps", 0, "fits.bootstraps"),
        ("features.projection.dimensions", 0, "features.projection.dimensions"),
        ("features.batch_size", 0, "features.batch_size"),
    ],
)
def test_a_number_that_cannot_be_is_found_before_any_job(demo, path, value, expected):
    with pytest.raises(InputError, match=re.escape(expected)):
        Plan(changed(demo, path, value))


@pytest.mark.parametrize(("value", "found"), [("width", True), ("epochs", float("nan")), ("batch", "many"), ("weight_decay", -1)])
def test_values_of_readout_recipes_are_checked_by_the_plan(demo, value, found):
    demo["mapping"]["recipes"]["attention"]["tvsd"] = {value: found}
    with pytest.raises(InputError, match=value):
        Plan(demo)


def test_a_learning_rate_of_a_readout_may_lack_the_dot(demo):
    demo["mapping"]["recipes"]["attention"]["all"]["learning_rate"] = yaml.safe_load("1e-3")
    assert Plan(demo).mapping.recipe("tvsd", "attention_shared").learning_rate == 1e-3


def test_a_loss_that_compares_stimuli_needs_two(demo):
    demo["finetuning"]["recipes"]["full"] |= {"loss": "cka", "neural_batch": 1}
    assert "finetuning.recipes.full.neural_batch" in problems(demo)


def test_a_model_of_ones_own_is_fine_tuned_without_images_and_without_their_recipe(demo):
    demo["models"].append(OWN | {"file": str(ROOT / "docs/example_model.py")})
    demo["finetuning"]["experiments"]["own"] = {"models": ["own"], "recipes": ["responses_alone"]}
    assert Plan(demo).finetuning.image_recipe("own") is None
    demo["finetuning"]["experiments"]["own"]["recipes"] = ["full"]
    with pytest.raises(InputErrors, match=r"finetuning\.images\n[\s\S]*finetuning\.image_recipe\n"):
        Plan(demo)


def test_shipped_configs_keep_their_values():
    for file in sorted((ROOT / "config").glob("*.yaml")):
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert load_study(given).results == str(Path(given["results"]))
