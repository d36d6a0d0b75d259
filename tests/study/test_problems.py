"""Every problem of a config is reported at once, each with its key, what was found and what to do, and nothing else is."""

import copy
from pathlib import Path

import pytest
import yaml
from places import COMPLETE, ROOT
from pydantic import BaseModel, model_validator

from cortexscale.errors import InputError, InputErrors
from cortexscale.study import load_study, read_study
from cortexscale.study.checks import repeated_keys
from cortexscale.study.problems import checked

DEMO = yaml.safe_load(COMPLETE.read_text(encoding="utf-8"))


@pytest.fixture
def demo() -> dict:
    return copy.deepcopy(DEMO)


def found(config: dict) -> dict[str, InputError]:
    """The problems of a config by their keys; no key has two."""
    problems = read_study(config).problems.found
    keys = [problem.where.removeprefix("config key ") for problem in problems]
    assert len(keys) == len(set(keys)), keys
    return dict(zip(keys, problems, strict=True))


def test_a_typo_a_wrong_value_and_three_wrong_references_are_five_problems(demo):
    demo["ridge"]["alfas"] = demo["ridge"].pop("alphas")
    demo["fits"]["bootstraps"] = "many"
    demo["datasets"]["nsd"]["stimuli"] = "nds"
    demo["mapping"]["datasets"] = ["tvds"]
    demo["finetuning"]["targets"]["things_fmri"] = ["ITT"]
    problems = found(demo)
    assert set(problems) == {
        "ridge.alfas",
        "fits.bootstraps",
        "datasets.nsd.stimuli",
        "mapping.datasets",
        "finetuning.targets.things_fmri",
    }
    remedies = {key: problem.remedy for key, problem in problems.items() if "bootstraps" not in key}
    assert remedies == {
        "ridge.alfas": "did you mean `alphas`?",
        "datasets.nsd.stimuli": "did you mean `nsd`?",
        "mapping.datasets": "did you mean `tvsd`?",
        "finetuning.targets.things_fmri": "did you mean `IT`?",
    }
    with pytest.raises(InputErrors) as raised:
        load_study(demo)
    message = str(raised.value)
    assert message.startswith("5 problems") and "Value error" not in message and "Input should" not in message


def test_a_misspelt_required_key_is_one_problem(demo):
    architecture = demo["models"][0]["architectures"]["vit_base"]
    architecture["layrs"] = architecture.pop("layers")
    assert set(found(demo)) == {"models.0.architectures.vit_base.layrs"}


def test_an_entry_that_cannot_be_used_is_still_known_by_its_name(demo):
    del demo["datasets"]["tvsd"]["label"]
    read = read_study(demo)
    assert [problem.where for problem in read.problems.found] == ["config key datasets.tvsd.label"]
    assert "tvsd" not in read.value.datasets and read.removed == {("datasets", "tvsd")}


def test_the_rest_is_checked_although_a_required_key_of_the_study_is_missing(demo):
    del demo["study"], demo["results"]
    demo["datasets"]["nsd"]["stimuli"] = "nds"
    assert set(found(demo)) == {"study", "results", "datasets.nsd.stimuli"}


def test_a_source_of_models_is_checked_as_what_it_says_it_is(demo):
    demo["models"] += [
        {"source": "tim", "ids": ["a"], "layers": "ViT"},
        {"ids": ["a"], "layers": "ViT"},
        {"source": "timm", "ids": ["a"], "layers": [1, "norm"]},
        {"source": "checkpoint", "id": "mine", "file": "mine.pt", "architecture": "resnet18", "classes": 0, "ema": 3},
        7,
        {"source": "python", "id": "mine", "file": "mine.txt", "family": "Mine", "layers": ["x"]},
    ]
    problems = found(demo)
    assert set(problems) == {
        "models.2.source",
        "models.3.source",
        "models.4.layers",
        "models.5.classes",
        "models.5.ema",
        "models.6",
        "models.7.file",
    }
    assert problems["models.2.source"].found == "'tim'" and problems["models.2.source"].remedy == "did you mean `timm`?"
    assert problems["models.3.source"].found == "nothing" and "`checkpoint`" in problems["models.3.source"].expected
    assert problems["models.5.ema"].expected == "`true`, `false` or `auto`"


def test_paths_are_those_of_the_file_although_entries_before_them_are_wrong(demo):
    timm = {"source": "timm", "ids": ["a"], "layers": ["norm"], "pretraining_samples": {"b": 3}}
    demo["models"] = [*demo["models"], {"source": "timm"}, timm]
    assert set(found(demo)) == {"models.2.ids", "models.2.layers", "models.3.pretraining_samples"}


def test_one_grid_and_several_have_the_paths_of_the_file(demo):
    demo["finetuning"]["experiments"]["data_pct"]["model"] = ["x"]
    demo["finetuning"]["experiments"]["explore"][1]["recipes"] = ["gentel"]
    problems = found(demo)
    assert set(problems) == {"finetuning.experiments.data_pct.model", "finetuning.experiments.explore.1.recipes"}
    assert "models, datasets, rois" in problems["finetuning.experiments.data_pct.model"].expected


def test_values_that_contradict_each_other_are_named_by_the_key_to_correct(demo):
    demo["ridge"]["alpha_per"] = "unit"
    demo["layer_commitment"] = {"commit": "published"}
    demo["finetuning"]["recipes"]["full"] = {"epochs": 3, "warmup_epochs": 3}
    demo["models"][1]["adversarial"] = {"architectures": ["resnet_wide"]}
    problems = found(demo)
    keys = {"ridge.alphas.search", "layer_commitment.file", "finetuning.recipes.full.warmup_epochs"}
    keys |= {"models.1.adversarial.architectures"}
    assert set(problems) == keys


def test_a_name_must_be_fit_for_a_path(demo):
    demo["datasets"]["my data"] = demo["datasets"]["tvsd"]
    problems = found(demo)
    assert set(problems) == {"datasets.my data"} and "letters, digits" in problems["datasets.my data"].expected


def test_what_an_own_class_of_options_says_is_passed_on():
    class Options(BaseModel, extra="forbid"):
        low: int = 1
        high: int = 2

        @model_validator(mode="after")
        def ordered(self):
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    with pytest.raises(InputError, match=r"^config key datasets\.mine\.options\n +found: +low is above high\n"):
        checked(Options, {"low": 3}, "config key datasets.mine.options")
    with pytest.raises(InputError, match=r"options\.hihg\n(.*\n)*.*did you mean `high`\?"):
        checked(Options, {"hihg": 3}, "config key datasets.mine.options")


def test_a_key_that_a_file_gives_twice_is_found_with_its_lines(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "study: mine\nmodels:\n  - &first {source: timm, ids: [a]}\n  - {<<: *first, ids: [b], layers: [x], ids: [c]}\n"
        "datasets:\n  mine: {path: a}\n  other: {path: a}\n  mine: {path: b}\nstudy: other\n",
        encoding="utf-8",
    )
    problems = {problem.where: problem.found for problem in repeated_keys([file])}
    assert problems == {
        f"{file}, line 4": "the key models.1.ids twice, in lines 4 and 4",
        f"{file}, line 8": "the key datasets.mine twice, in lines 6 and 8",
        f"{file}, line 9": "the key study twice, in lines 1 and 9",
    }
    assert [problem.where for problem in read_study({"study": "s", "results": "r"}, [file]).problems.found] == list(problems)


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_configs_have_no_problem(file: Path):
    assert not read_study(yaml.safe_load(file.read_text(encoding="utf-8")), [file]).problems.found
