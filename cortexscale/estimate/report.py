"""The estimate of a study as text: a table of stages, then how it was reckoned."""

import textwrap

from cortexscale.estimate.machine import Machine
from cortexscale.estimate.stages import Estimate, Stage, totals

_WIDTH = 120


def report(study: str, estimate: Estimate, origin: str) -> str:
    """Everything that a person needs to judge the estimate.

    Args:
        origin: where the rates of the machine come from.
    """
    stages = estimate.stages()
    lines = [f"Estimate of study `{study}`, nothing done yet", ""]
    lines += [_row("stage", "jobs", "time", "longest job", "memory", "disk")]
    lines += [_row(s.name, f"{len(s.seconds):,}", *_amounts(sum(s.seconds), max(s.seconds), s.mb, s.disk)) for s in stages]
    jobs, *amounts = totals(stages)
    lines += [_row("all", f"{jobs:,.0f}", *_amounts(*amounts)), ""]
    lines += _wrap("Time is the sum over jobs, each alone on its device: divide by the jobs that run at a time. Memory is what "
                   "the largest job asks the scheduler for. Disk is what the stage leaves.")  # fmt: skip
    lines += ["", "How", *(line for stage in stages for line in _formula(stage))]
    lines += ["", f"Rates of one job ({origin})", *_rates(estimate.machine)]
    lines += ["", "Sizes", *(line for text in _sizes(estimate) for line in _wrap(text, "  "))]
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return f"{cells[0]:<16}" + "".join(f"{cell:>14}" for cell in cells[1:])


def _amounts(seconds: float, longest: float, mb: float, disk: float) -> tuple[str, str, str, str]:
    return duration(seconds), duration(longest), f"{mb / 1000:,.1f} GB", f"{disk / 1e9:,.2f} GB" if disk else "-"


def duration(seconds: float) -> str:
    """In the unit that a person would use."""
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


def _formula(stage: Stage) -> list[str]:
    indent = " " * 18
    lines = textwrap.wrap(stage.formula, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [f"  {stage.name:<16}{lines[0].strip()}", *lines[1:]]


def _rates(machine: Machine) -> list[str]:
    fields = type(machine).model_fields
    return [f"  {name:<16}{value:>10.3g}  {fields[name].description}" for name, value in machine]


def _sizes(estimate: Estimate) -> list[str]:
    plan, lines = estimate.plan, []
    given = plan.study.estimate.units
    for name in plan.datasets:
        kernels = estimate.kernels(name)
        first, source = kernels[0], "as estimate.units says" if name in given else "at most; estimate.units can say fewer"
        lines.append(
            f"{name}: {len(kernels)} kernel(s) of {first.n_train:,} + {first.n_test:,} stimuli, {first.units:,} units ({source})"
        )
    counted = {m: n for m, n in estimate.networks.items() if not n.assumed}
    families = {plan.models[m].family: n for m, n in estimate.networks.items() if n.assumed}
    if counted:
        lines.append(f"{len(counted)} models: FLOPs and layers counted from their architectures")
    if families:
        n_assumed = len(estimate.networks) - len(counted)
        lines.append(f"{n_assumed} models cannot be built, so FLOPs per image, candidate layers and their width are ASSUMED by family: " + "; ".join(
            f"{family} {n.flops / 1e9:g} GFLOPs, {len(n.widths)} x {n.widths[0]:,}" for family, n in families.items()
        ))  # fmt: skip
    if estimate.unsized:
        lines.append(f"{len(estimate.unsized)} released files of unknown size count as nothing, such as {estimate.unsized[0]}")
    if plan.study.simulation:
        lines.append("Making the simulated recordings is not counted.")
    return lines
