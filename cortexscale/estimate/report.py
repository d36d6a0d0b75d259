"""Write the estimate of a study as text: a table of stages, and then the formulas, rates and sizes behind its numbers."""

import textwrap

from cortexscale.costs import Machine
from cortexscale.estimate.sizes import ExpectedSizes
from cortexscale.estimate.stages import Estimate

_WIDTH = 120
_LEGEND = (
    "Time is the sum over jobs, each alone on its device: divide it by the number of jobs that run at a time. Memory is what the "
    "largest job requests from the scheduler. Disk is the space that the results of the stage take."
)


def report(study: str, estimate: Estimate, origin: str) -> str:
    """Return the text of an estimate. ``origin`` says where the rates of the machine come from."""
    stages = estimate.stages()
    lines = [f"Estimate of study `{study}`, nothing done yet", ""]
    lines += [_row("stage", "jobs", "time", "longest job", "memory", "disk")]
    lines += [_row(s.name, f"{len(s.seconds):,}", *_amounts(sum(s.seconds), max(s.seconds), s.mb, s.disk)) for s in stages]
    seconds = [second for stage in stages for second in stage.seconds]
    total = _amounts(sum(seconds), max(seconds), max(stage.mb for stage in stages), sum(stage.disk for stage in stages))
    lines += [_row("all", f"{len(seconds):,}", *total), ""]
    lines += _wrap(_LEGEND)
    lines += ["", "How"]
    for stage in stages:
        lines += textwrap.wrap(stage.formula, _WIDTH, initial_indent=f"  {stage.name:<21}", subsequent_indent=" " * 23)
    lines += ["", f"Rates of one job ({origin})"]
    fields = Machine.model_fields
    lines += [f"  {name:<16}{value:>10.3g}  {fields[name].description}" for name, value in estimate.machine]
    lines += ["", "Sizes", *(line for text in _sizes(estimate.sizes) for line in _wrap(text, "  "))]
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return f"{cells[0]:<20}" + "".join(f"{cell:>14}" for cell in cells[1:])


def _amounts(seconds: float, longest: float, mb: float, disk: float) -> tuple[str, str, str, str]:
    return duration(seconds), duration(longest), f"{mb / 1000:,.1f} GB", f"{disk / 1e9:,.2f} GB" if disk else "-"


def duration(seconds: float) -> str:
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)


def _sizes(sizes: ExpectedSizes) -> list[str]:
    """List lines with the sizes of data and networks that the estimate assumes."""
    lines = []
    for name in sizes.data.datasets:
        kernels, (_, source) = sizes.dataset(name).kernels, sizes.units_source(name)
        first, count = kernels[0], "one kernel" if len(kernels) == 1 else f"{len(kernels)} kernels, each"
        lines.append(f"{name}: {count} of {first.n_train:,} + {first.n_test:,} images and {first.units:,.0f} units ({source})")
    if any(sizes.units_kept(name) is None for name in sizes.data.datasets):
        lines.append("at most: the reader can keep no more units. Set estimate.units to fewer; existing recordings are counted")
    if sizes.networks:
        lines.append(f"{len(sizes.networks)} models: FLOPs and layers counted from their architectures")
    if sizes.unsized:
        found = f"{len(sizes.unsized)} released files are missing and of unknown size; they are counted as 0"
        lines.append(f"{found}, such as {sizes.unsized[0]}")
    if sizes.study.simulation:
        lines.append("making the simulated recordings is not counted")
    return lines
