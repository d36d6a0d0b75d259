"""Estimate time, memory and disk of every stage, on this machine or on the one that the config names."""

from pathlib import Path
from typing import Any

from cortexscale.estimate.measure import machine_of
from cortexscale.estimate.networks import networks
from cortexscale.estimate.report import report
from cortexscale.estimate.sizes import ExpectedSizes
from cortexscale.estimate.stages import Estimate
from cortexscale.files import write_text
from cortexscale.jobs import run
from cortexscale.plan import Plan


def main(*, config: dict[str, Any], file: Path) -> None:
    plan = Plan(config, {"estimate"})
    settings = plan.study.estimate
    machine, origin = machine_of(settings.machine, settings.rates, file.parent)
    sizes = ExpectedSizes(plan, networks(plan.models.inventory.values()))
    text = report(plan.study.study, Estimate(plan, sizes, machine), origin)
    write_text(file, text)
    print(f"\n{text}", flush=True)


if "snakemake" in globals():
    run(main, snakemake)
