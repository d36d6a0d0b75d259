"""Labels that figures cannot tell apart, and names that no file can have, are problems of the config or the plan."""

import copy

import pytest
import yaml
from example_recording import documented_entry
from places import COMPLETE, ROOT

from cortexscale.errors import InputError, InputErrors
from cortexscale.plan import Plan
from cortexscale.section import part_of_path, visible
from cortexscale.study import read_study

DEMO = yaml.safe_load(COMPLETE.read_text(encoding="utf-8"))
READER = (ROOT / "docs/example_dataset.py").read_text(encoding="utf-8")


@pytest.fixture
def demo(tmp_path, monkeypatch) -> dict:
    monkeypatch.chdir(tmp_path)
    return copy.deepcopy(DEMO)


def problems(config: dict) -> dict[str, InputError]:
    return {problem.where.removeprefix("config key "): problem for problem in read_study(config).problems.found}


# ------------------------------------------------------------------------------------------ labels


@pytest.mark.parametrize("label", ["", " ", "\u00a0", "\u200b", "\t", "My\nLab", "My\u2028Lab"])
@pytest.mark.parametrize("key", ["datasets.tvsd.label", "models.0.architectures.vit_base.family"])
def test_a_label_that_cannot_be_seen_or_has_lines_is_reported(demo, key, label):
    of = demo
    *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    for part in parents:
        of = of[part]
    of[last] = label
    assert "label" in problems(demo)[key].expected


@pytest.mark.parametrize("label", ["TVSD-EP", "V4 $5 → 日本", "_", "{x}", "α"])
def test_other_labels_are_kept(label):
    assert visible(label) == label


@pytest.mark.parametrize(
    ("one", "other"), [("Mine", "Mine"), ("Mine", " Mine "), ("My lab", "My\u00a0lab"), ("caf\u00e9", "cafe\u0301")]
)
def test_two_datasets_with_one_label_are_reported_with_other_problems(demo, one, other):
    demo["datasets"]["tvsd"]["label"], demo["datasets"]["nsd"]["label"] = one, other
    demo["features"]["batch_size"] = 0
    found = problems(demo)
    assert set(found) == {"datasets.nsd.label", "features.batch_size"} or set(found) == {
        "datasets.tvsd.label",
        "features.batch_size",
    }
    assert "a label of its own" in next(found[key].expected for key in found if key.endswith("label"))


def test_published_labels_differ_too():
    labels = {"tvsd": "Mine", "nsd": "Mine", "majajhong": "Other"}
    found = problems({"study": "s", "results": "r", "published": {"path": "p", "labels": labels}})
    assert list(found) == ["published.labels.nsd"] and "published.labels.tvsd" in found["published.labels.nsd"].found


# ------------------------------------------------------------------------------------------ names


NO_NAMES = ["", "a/b", "..", ".", ".hidden", "-x", "V4 ", " V4", "V4.", "{model}", "a*", "V4?", "V4:l", "a\\b", "V4\n", "x" * 201]


@pytest.mark.parametrize("name", NO_NAMES)
def test_an_roi_that_no_file_can_have_as_its_name_is_a_problem_of_the_config(demo, name):
    demo["datasets"]["tvsd"]["rois"] = ["V4", name]
    assert "files are named by it" in problems(demo)["datasets.tvsd.rois.1"].expected


@pytest.mark.parametrize("name", ["V4", "hV4 (ventral)", "café", "L+R", "IT-anterior", "a" * 200])
def test_other_names_of_rois_are_kept(name):
    assert part_of_path(name) == name


def plan_with(reader: str, folder) -> Plan:
    (folder / "reader.py").write_text(reader, encoding="utf-8")
    entry = documented_entry()
    entry["datasets"]["mylab"]["reader"] = str(folder / "reader.py")
    model = {"source": "python", "id": "own", "file": str(ROOT / "docs/example_model.py"), "family": "F", "layers": ["simple"]}
    return Plan({"study": "s", "results": str(folder / "r"), "plan_without_data": True, "models": [model]} | entry)


@pytest.mark.parametrize(
    ("rois", "found"),
    [
        ('("V4", "IT", "V1/V2")', "'V1/V2' among ROIS"),
        ('("V4", "IT", "..")', "'..' among ROIS"),
        ('("V4", "IT", "it")', "IT and it among ROIS"),
        ('("V4", "IT", "V4")', "V4 twice among ROIS"),
        ('("V4", "IT", "kept")', "the name kept among ROIS"),
        ('("V4", "IT", 7)', "ROIS \\('V4', 'IT', 7\\)"),
        ('"V4"', "ROIS 'V4'"),
        ("()", r"ROIS \(\)"),
    ],
)
def test_names_of_rois_of_an_own_reader_are_checked_by_the_plan(rois, found, tmp_path):
    with pytest.raises(InputError, match=rf"datasets\.mylab\.reader\n.*{found}[\s\S]*correct ROIS in the module"):
        plan_with(READER.replace('ROIS = ("V4", "IT")', f"ROIS = {rois}"), tmp_path)


def test_subjects_of_an_own_reader_are_checked_by_the_plan(tmp_path):
    with pytest.raises(InputError, match=r"'day/1' among SUBJECTS"):
        plan_with(READER.replace('SUBJECTS = ("anna", "bruno")', 'SUBJECTS = ("anna", "bruno", "day/1")'), tmp_path)


def test_names_of_built_in_readers_are_names_of_files(demo):
    """The demo has every built-in reader; a wrong name of one would be a problem of this plan."""
    Plan(demo | {"plan_without_data": True})


# ------------------------------------------------------------------------------------------ the word all, and lists


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (["all"], "write `all` without brackets"),
        (["fig2", "all"], "write `all` without brackets"),
        ("fig2", "write a list: [fig2]"),
        ("All", "did you mean `all`?"),
    ],
)
def test_the_remedy_for_figures_says_what_to_write(demo, value, remedy):
    assert remedy in problems(demo | {"figures": value})["figures"].remedy


def test_the_same_holds_for_experiments_of_scores_and_other_lists(demo):
    demo["scores"] = {"path": "scores.csv", "experiments": ["all"]}
    demo["datasets"]["tvsd"]["rois"] = "V4"
    found = problems(demo)
    assert "without brackets" in found["scores.experiments"].remedy
    assert found["datasets.tvsd.rois"].remedy == "write a list: [V4]"


def test_all_alone_stands_for_every_figure(demo):
    assert read_study(demo | {"figures": "all"}).sound().figures == "all"


def test_problems_are_listed_together(demo):
    demo["datasets"]["tvsd"] |= {"label": "", "rois": ["a/b"]}
    with pytest.raises(InputErrors) as raised:
        Plan(demo | {"figures": ["all"]})
    assert all(key in str(raised.value) for key in ("datasets.tvsd.label", "datasets.tvsd.rois.0", "config key figures"))
