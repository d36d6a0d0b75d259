"""Rules ask the scheduler for no less than what a job is expected to take on the slowest machine."""

import re
from pathlib import Path

import pytest
import yaml
from places import ROOT

from cortexscale.costs import LONGEST, PRESETS, SLOWEST, Cost, Machine, formula
from cortexscale.estimate.networks import counted_table, networks
from cortexscale.estimate.sizes import ExpectedSizes
from cortexscale.estimate.stages import Estimate, Stage
from cortexscale.models.bounds import ASSUMED, TABLE, assumed_network, known_networks
from cortexscale.models.model import Builder, Model, PublishedBuilder, TimmBuilder
from cortexscale.plan import Plan
from cortexscale.plan.costs import Costs

EXACT = {"features": {"projection": {"family": "exact"}}}
METRICS = {"metrics": {"similarity": ["train", "test"], "pls_components": 25}}


def study(config: str, results: Path, changes: dict) -> Plan:
    text = (ROOT / f"config/{config}.yaml").read_text(encoding="utf-8")
    return Plan(yaml.safe_load(text) | {"results": str(results)} | changes, {"estimate"})


def stages(plan: Plan, machine: Machine = SLOWEST) -> dict[str, Stage]:
    sizes = ExpectedSizes(plan, networks(plan.models.inventory.values()))
    return {stage.name: stage for stage in Estimate(plan, sizes, machine).stages()}


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, EXACT, METRICS], ids=["projected", "exact", "metrics"])
@pytest.mark.parametrize("config", ["complete", "paper"])
def test_no_limit_is_below_what_is_expected(tmp_path, config, changes):
    """Sizes at most are no smaller than counted ones; formula and machine are the same."""
    found = stages(study(config, tmp_path, changes))
    assert {"preprocess", "features", "layer_search", "alignment", "mapping", "finetune", "fits"} < set(found)
    for stage in found.values():
        for cost, limit in zip(stage.costs, stage.limits, strict=True):
            assert limit.seconds >= cost.seconds and limit.memory >= cost.memory, stage.name
            assert 60 * limit.minutes >= limit.seconds or (limit.resumes and limit.minutes == LONGEST), stage.name
            assert limit.mb <= 512_000, f"{stage.name} fits on no node of profiles/slurm/partitions.yaml"


def test_every_machine_is_faster_than_the_slowest():
    for machine in PRESETS.values():
        for rate in Machine.model_fields:
            faster, slower = getattr(machine, rate), getattr(SLOWEST, rate)
            assert faster <= slower if rate.startswith("start") else faster >= slower, rate


def test_rules_ask_for_what_costs_say():
    """Memory and time of a rule are those of the method of its name."""
    rules = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "workflow/rules").glob("*.smk"))
    others = ("finetuning_step", "largest_sweep_mb")
    names = [name for name, method in vars(Costs).items() if callable(method) and name not in others and name[0] != "_"]
    assert len(names) == 19
    for name in names:
        body = re.split(rf"rule (?:features as )?{name}(?: with)?:", rules)[1].split("\nrule ")[0].split("\nuse rule ")[0]
        asked = re.search(r"mem_mb=(.*?),\n        runtime=(.*?),\n", body, re.DOTALL)
        assert asked, name
        for text, unit in zip(asked.groups(), ("mb", "minutes"), strict=True):
            if (name, unit) == ("download_checkpoint", "minutes"):  # the connection is not counted
                continue
            assert re.search(rf"plan\.limits\.{name}\([^()]*\)\.{unit}$", re.sub(r"\s", "", text)), f"{unit} of {name}"


def test_a_cost_is_rounded_up_and_resumes_for_two_days_at_most():
    assert (Cost(61, 1e6 + 1).minutes, Cost(61, 1e6 + 1).mb) == (2, 2)
    assert Cost(1e6, 0).minutes == 16_667 and Cost(1e6, 0, resumes=True).minutes == LONGEST


def test_a_formula_is_the_second_paragraph():
    def cost() -> Cost:
        """Cost of nothing.

        a line,
        and another

        Args:
            none
        """

    assert formula(cost) == "a line, and another"


# ---------------------------------------------------------------------------------------------- networks


@pytest.mark.slow
def test_published_networks_are_as_counted():
    """The table is written again by ``python -m cortexscale.estimate.networks config/paper.yaml``."""
    assert counted_table(ROOT / "config/paper.yaml") == TABLE.read_text(encoding="utf-8")


def model(source: str, builder: Builder, **settings) -> Model:
    return Model("m", source, "own", "ViT", builder, (".*",), "m", **settings)


def test_an_unknown_network_is_taken_for_a_large_one():
    known = known_networks()
    assert assumed_network(model("spvvs", PublishedBuilder("alexnet", 1000))) == known["alexnet"]
    assert assumed_network(model("timm", TimmBuilder("vit_unheard_of"))) == known[ASSUMED]
    assert assumed_network(model("suite", PublishedBuilder("alexnet", 1000), image_size=224)) == known[ASSUMED], (
        "it may be another one"
    )
    small, large = assumed_network(model("suite", TimmBuilder("resnet18"), image_size=112)), known[ASSUMED]
    assert (4 * small.flops, 4 * small.width, 4 * small.output) == (large.flops, large.width, large.output)
