"""The config: every problem at once, each with its path and the fix; one results root, one study."""

import copy
import json
from pathlib import Path

import pytest
import yaml
from places import COMPLETE, ROOT

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.errors import InputError
from cortexscale.plan import Plan
from cortexscale.study import load_study


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load(COMPLETE.read_text())


@pytest.mark.parametrize("name", ["config", "paper", "published", "spvvs"])
def test_shipped_configs_are_valid(name, demo):
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    Plan({**config, "plan_without_data": True})


def test_all_problems_are_reported_at_once_with_their_paths(demo):
    demo["ridge"]["alfas"] = {}
    demo["datasets"]["tvsd"]["subject"] = ["monkeyF"]
    demo["fits"]["bootstraps"] = "many"
    with pytest.raises(InputError) as caught:
        load_study(demo)
    found = {problem.where.removeprefix("config key "): problem for problem in caught.value.problems}
    assert set(found) == {"ridge.alfas", "datasets.tvsd.subject", "fits.bootstraps"}
    assert found["ridge.alfas"].remedy == "did you mean `alphas`?"
    assert found["datasets.tvsd.subject"].remedy == "did you mean `subjects`?"
    assert found["fits.bootstraps"].found == "'many'" and found["fits.bootstraps"].expected == "whole number above 0"


def test_an_alpha_per_unit_needs_the_full_grid(demo):
    demo["ridge"]["alpha_per"] = "unit"
    with pytest.raises(InputError, match=r"ridge\.alphas\.search\n.*adaptive\n.*`full` with `alpha_per: unit`"):
        load_study(demo)
    demo["ridge"]["alphas"]["search"] = "full"
    load_study(demo)


def test_unknown_stimulus_set(demo):
    demo["datasets"]["tvsd"]["stimuli"] = "thongs"
    with pytest.raises(InputError, match=r"datasets\.tvsd\.stimuli\n.*thongs\n.*things, nsd.*\n.*did you mean `things`"):
        load_study(demo)


def test_a_suite_needs_its_reference_models(demo):
    demo["models"][0]["samples_per_class"] = [1, 3]
    missing = r"reference of vit_small_objects_1_seed-0, vit_small_objects_3_seed-0\n.*vit_small_objects_full_seed-0, which"
    with pytest.raises(InputError, match=missing):
        Plan(demo | {"plan_without_data": True})


def test_a_suite_can_borrow_layers_from_a_model_of_another_suite(demo):
    whole = demo["models"][0]
    demo["models"] = [whole | {"samples_per_class": [0]}, whole | {"samples_per_class": [1, 3]}]
    models = Plan(demo | {"plan_without_data": True}).models.inventory
    assert models["vit_small_objects_3_seed-0"].reference == "vit_small_objects_full_seed-0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["datasets"]["tvsd"].update(subjects=["monkeyX"]), r"datasets\.tvsd\.subjects\n.*monkeyX\n.*monkeyF"),
        (lambda c: c["datasets"]["tvsd"].update(rois=["V9"]), r"datasets\.tvsd\.rois\n.*V9"),
        (lambda c: c["datasets"]["tvsd"].update(best_subjects={"count": 1, "roi": "V9"}), r"tvsd\.best_subjects\.roi\n.*V9"),
        (
            lambda c: c["datasets"]["tvsd"].update(best_subjects={"count": 9, "roi": "V1"}),
            r"best_subjects\.count\n.*9\n.*at most 2",
        ),
        (lambda c: c["datasets"]["tvsd"].update(reader="tsvd"), r"datasets\.tvsd\.reader\n.*tsvd\n.*tvsd, .*nsd"),
        (
            lambda c: c["datasets"]["tvsd"]["options"].update(n_trian=3),
            r"options\.n_trian\n(.*\n)*.*did you mean `n_train`",
        ),
    ],
)
def test_dataset_entries_are_checked_against_their_reader(demo, change, message):
    demo["finetuning"] = None  # it names ROIs of the dataset, too
    change(demo)
    with pytest.raises(InputError, match=message):
        Plan(demo)


def test_missing_raw_files_are_listed_at_once(demo):
    demo["stimuli"]["things"]["path"] = "resources/things"
    demo["datasets"]["tvsd"]["path"] = "resources/tvsd"
    del demo["simulation"]["datasets"]["tvsd"]
    with pytest.raises(InputError) as caught:
        Plan(demo)
    message = str(caught.value)
    assert "5 of" in message and "resources/things\n" in message
    assert "resources/tvsd/monkeyN/THINGS_normMUA.mat" in message and "plan_without_data: true" in message
    Plan({**demo, "plan_without_data": True})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["datasets"]["tvsd"].update(path="elsewhere"),
            r"tvsd\.path\n.*elsewhere\n.*/raw/tvsd\n.*'\{results\}/raw/tvsd'",
        ),
        (lambda c: c["simulation"]["datasets"].update(tsvd={}), r"simulation\.datasets\.tsvd\n.*tsvd\n.*a dataset of the config"),
        (
            lambda c: c["simulation"]["datasets"]["tvsd"].update(repetition=3),
            r"tvsd\.repetition\n(.*\n)*.*did you mean `repetitions`",
        ),
    ],
)
def test_simulated_datasets_are_checked(demo, change, message):
    change(demo)
    with pytest.raises(InputError, match=message):
        Plan(demo).data.simulated  # noqa: B018


def test_a_figure_of_a_dataset_that_the_study_lacks_is_refused(demo):
    del demo["datasets"]["things_meg"], demo["simulation"]["datasets"]["things_meg"]
    with pytest.raises(InputError, match=r"key figures\n.*figS5: the study has no dataset of the reader things_meg"):
        Plan(demo)


def test_another_study_is_refused_in_a_results_root(demo):
    Plan(demo).begin()
    Plan(demo)
    with pytest.raises(InputError, match=r"results_complete/study\.json\n.*`complete`\n.*`mine`"):
        Plan({**demo, "study": "mine"})
    assert json.loads(Path("results_complete/study.json").read_text(encoding="utf-8")) == {"study": "complete"}


def test_results_root_fills_paths(demo):
    study = load_study({**copy.deepcopy(demo), "results": "elsewhere"})
    assert study.datasets["tvsd"].path == "elsewhere/raw/tvsd"


def test_the_mapping_section_names_what_the_study_has(demo):
    demo["mapping"]["datasets"] = ["tvsd", "nds"]
    with pytest.raises(InputError, match=r"mapping\.datasets\n.*nds\n(.*\n)*.*did you mean `nsd`"):
        load_study(demo)
    demo["mapping"] |= {"datasets": ["tvsd"], "model": "vit"}
    with pytest.raises(InputError, match=r"mapping\.model\n.*vit\n"):
        Plan(demo | {"plan_without_data": True})
    demo["mapping"] |= {"model": "vit_base_objects_full_seed-0", "recipes": {"attention": {"tvsd": {"epoch": 3}}}}
    with pytest.raises(InputError, match=r"mapping\.recipes\.attention\.tvsd\.epoch\n[\s\S]*did you mean `epochs`"):
        Plan(demo | {"plan_without_data": True})
    demo["mapping"]["recipes"] = {"attention": {"all": {"epochs": 3, "batch": 8}, "tvsd": {"epochs": 4}}}
    recipe = Plan(demo | {"plan_without_data": True}).mapping.recipe("tvsd", "attention_shared")
    assert (recipe.epochs, recipe.batch, recipe.width) == (4, 8, 384)


def test_figures_of_readouts_need_the_mapping_section(demo):
    del demo["mapping"]
    with pytest.raises(InputError, match=r"fig6, gate_depth, figS62, figS63: the config has no section mapping"):
        Plan(demo | {"plan_without_data": True})
    demo["figures"] = ["fig2"]
    assert "mapping" not in Plan(demo | {"plan_without_data": True}).tables.names


def test_a_study_wants_the_fits_that_its_figures_and_its_mapping_axis_read(demo):
    assert Plan(demo | {"figures": ["fig2"]}).figures.fits == [
        *MODEL_AXES,
        *(f"{axis}.score_true" for axis in MODEL_AXES),
        "mapping",
    ]
