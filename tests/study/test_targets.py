"""Targets that no rule makes are reported together, each with what was probably meant."""

import os

import pytest

from cortexscale.errors import InputError
from cortexscale.plan.targets import require_known_targets

RULES = {
    "features": ["results/features/{stimuli}/{model,a|b}.zarr.zip"],
    "alignment": ["results/alignment/{stimuli}/{model}.parquet", "results/alignment/{stimuli}/{model}.units.parquet"],
    "list_figures": [],
    "cost": ["results/tables/cost.parquet"],
}
KNOWN = {"model": ["resnet50", "vit_base"], "stimuli": ["things", "nsd"]}
FILES = ["results/figures/fig2.pdf", "results/figures/fig2.csv", "results/tables/cost.parquet", "results/report.html"]


def refusal(*unknown: str) -> InputError:
    with pytest.raises(InputError) as error:
        require_known_targets(unknown, RULES, KNOWN, FILES)
    return error.value


@pytest.mark.parametrize(
    ("target", "found", "meant"),
    [
        ("fig22", "no rule has this name", "results/figures/fig2.pdf"),
        ("lst_figures", "no rule has this name", "list_figures"),
        ("result/figures/fig2.pdf", "no rule makes this file", "results/figures/fig2.pdf"),
        ("./results/figures/fig2.pdf", "no rule makes this file", "results/figures/fig2.pdf"),
        ("results/features/things/resnet5.zarr.zip", "no model `resnet5`", "results/features/things/resnet50.zarr.zip"),
        ("results/alignment/thing/vit_base.parquet", "no stimuli `thing`", "results/alignment/things/vit_base.parquet"),
        ("results/alignment/nsd/vit.units.parquet", "no model `vit.units`", None),
    ],
)
def test_a_target_comes_with_what_was_probably_meant(target, found, meant):
    error = refusal(target)
    assert error.found.startswith(target) and found in error.found
    if meant:
        assert f"did you mean `snakemake {meant}`?" in error.remedy


def test_an_absolute_path_is_written_relative_to_this_folder():
    assert "`snakemake results/report.html`" in refusal(os.path.abspath("results/report.html")).remedy  # noqa: PTH100


def test_a_rule_with_many_jobs_is_told_from_an_unknown_one():
    error = refusal("features")
    assert "this rule has many jobs" in error.found
    assert error.expected == "a file that it makes: results/features/{stimuli}/{model}.zarr.zip"


def test_a_name_like_no_other_suggests_nothing():
    assert "did you mean" not in refusal("qqqq").remedy


def test_all_targets_are_reported_at_once():
    assert str(refusal("fig22", "features")).startswith("2 problems")


def test_known_targets_pass():
    require_known_targets([], RULES, KNOWN, FILES)
