"""One report of all that is wrong with a study: its keys, references, figures, mapping, and missing files."""

import pytest
import yaml
from places import COMPLETE

from cortexscale.errors import InputErrors
from cortexscale.plan import Plan


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load(COMPLETE.read_text(encoding="utf-8"))


def report(config: dict) -> dict[str, str]:
    """Return the problems of a config: where -> what was found."""
    with pytest.raises(InputErrors) as caught:
        Plan(config)
    assert str(caught.value).startswith(f"{len(caught.value.problems)} problems\n1. ")
    for problem in caught.value.problems:
        assert problem.expected and problem.remedy and "value error" not in str(problem).lower()
    return {problem.where.removeprefix("config key "): problem.found for problem in caught.value.problems}


def test_a_typo_wrong_references_a_figure_a_mapping_and_a_file_are_one_report(demo):
    demo["ridge"]["alfas"] = {}
    demo["datasets"]["tvsd"]["stimuli"] = "thongs"
    demo["mapping"]["datasets"].append("nds")
    demo["finetuning"]["targets"]["tsvd"] = ["V1"]
    demo["figures"].append("fig99")
    demo["mapping"]["model"] = "vit"
    demo["layer_commitment"] = {"commit": "published", "file": "nowhere.json"}
    found = report(demo)
    assert len(found) == 7, found
    assert found["ridge.alfas"] == "an unknown key" and "nowhere.json" in found["raw data"]
    assert (found["datasets.tvsd.stimuli"], found["mapping.datasets"], found["mapping.model"]) == ("thongs", "nds", "vit")
    assert found["finetuning.targets"] == "tsvd" and found["figures"] == "fig99: there is no such figure"


def test_wrong_readers_models_and_recipes_are_one_report(demo):
    demo["datasets"]["tvsd"] |= {"subjects": ["monkeyX"], "rois": ["V9"]}
    demo["datasets"]["nsd"]["options"] = {"n_trian": 3}
    demo["simulation"]["datasets"]["things_meg"] = {"sensors": 3}
    demo["models"].append({"source": "timm", "ids": ["resnet18"], "layers": "no_family"})
    demo["finetuning"] = None
    demo["figures"] = ["fig2"]
    demo["projection_study"] = {"models": {"no_model": [10]}}
    demo["mapping"]["recipes"] = {"attention": {"all": {"epoch": 3}}}
    found = report(demo)
    assert found.keys() >= {
        "datasets.tvsd.subjects",
        "datasets.tvsd.rois",
        "projection_study.models",
        "mapping.recipes.attention.all.epoch",
    }
    assert [where for where in found if "no_family" in found[where]] and [where for where in found if "nsd.options" in where]
    assert [where for where in found if where.startswith("simulation.datasets.things_meg")]
    assert len(found) == 7, found
