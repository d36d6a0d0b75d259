"""Check that a model can be used: its weights, its layers, and the memory for extracting its features."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cortexscale.check.report import Report, ReportSection
from cortexscale.errors import InputError
from cortexscale.features.bounds import Extraction
from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.build import build_backbone, load_backbone, weights_hash
from cortexscale.models.counting import count_network, forward_flops
from cortexscale.models.layers import Layer, candidate_layers, captured
from cortexscale.models.model import Model
from cortexscale.models.repeated import BATCH, CHANCE, MOST, Cause, difference
from cortexscale.study.features import Features, Projection

_HELP = "docs/models.md describes what each source needs, and what candidate layers are."
_BLAME = "an InputError was expected for bad input, and nothing for good input"


def check_model(model: Model, batch_size: int, projection: Projection, asked_mb: int, weights_follow: bool) -> Report:
    """Load a model, run it on two images and check all of its candidate layers.

    ``asked_mb`` is the memory in MB that a job requests to extract all candidate layers in batches of ``batch_size`` images. With
    ``weights_follow``, missing weights are not a problem, because the study itself trains or downloads them.
    """
    report = Report(f"The model `{model.id}` of the source `{model.source}`")
    backbone = _load(report.section("weights", _HELP), model, weights_follow)
    section = report.section("network", _HELP)
    with section.collect("building the network", _BLAME):
        backbone = backbone or build_backbone(model)
        with section.collect("the transform", "correct the transform"):
            # The two images differ as much as stimuli do, so that a normalisation over both would change the first one.
            blocks = Image.fromarray(255 * np.random.default_rng(0).integers(0, 2, (15, 20, 3), dtype=np.uint8))
            pattern = blocks.resize((400, 300), Image.Resampling.NEAREST)
            images = torch.stack([backbone.transform(pattern), backbone.transform(GREY)])
            if not torch.isfinite(images).all():
                section.problems.append("the transform makes numbers that are not finite, of a pattern or of a grey image")
            with section.collect("a forward pass", "correct the network"):
                _describe(section, backbone, images)
                section = report.section("candidate layers", _HELP)
                with section.collect("finding the layers", _BLAME):
                    widths = _check_layers(section, backbone, candidate_layers(backbone.network, model.layers), images)
                    if widths:
                        _check_memory(report.section("extraction"), backbone, widths, batch_size, projection, asked_mb)
    return report


def _load(section: ReportSection, model: Model, weights_follow: bool) -> Backbone | None:
    file = model.checkpoint
    if file and weights_follow and not Path(file).exists():
        found = f"{file} does not exist yet; the study makes or fetches it"
        section.facts.append(f"{found}. Random weights are used for the other checks")
        return None
    backbone: Backbone | None = None
    with section.collect("loading the weights", _BLAME):
        backbone = load_backbone(model)
        section.facts += [f"loaded {f'from {file}' if file else 'by the source'}", f"hash {weights_hash(backbone.network)}"]
    return backbone


def _describe(section: ReportSection, backbone: Backbone, images: Tensor) -> None:
    network, started = backbone.network, time.perf_counter()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    flops = forward_flops(network, images[:1]).products
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    first = time.perf_counter() - started
    with torch.inference_mode():
        started = time.perf_counter()
        network(images[:1])
    seconds = min(first, time.perf_counter() - started)
    section.facts += [
        f"{type(network).__name__}, {parameters:,} parameters, {weights / 1e6:,.0f} MB of weights",
        f"{flops / 1e9:,.2f} GFLOPs and {seconds:.3f} s per image here ({torch.get_num_threads()} thread(s) of the CPU)",
        f"input {' x '.join(map(str, images.shape[1:]))} {str(images.dtype).removeprefix('torch.')}, made by",
        *(f"  {line}" for line in str(backbone.transform).splitlines()[:30]),
    ]


def _check_layers(section: ReportSection, backbone: Backbone, layers: Sequence[Layer], images: Tensor) -> list[int]:
    """Check that the output of every layer is finite, is the same in every pass, and does not depend on other images of a batch.

    Return the widths of the layers that take part in the forward pass.
    """

    def copied(_name: str, output: Tensor) -> Tensor:  # a later module can change the output in place
        return output.clone()

    names, unusable, runs = [layer.name for layer in layers], dict[str, InputError](), Counter[str]()
    with torch.inference_mode(), captured(backbone.network, names, copied, unusable) as outputs, ExitStack() as hooks:
        passes = []
        for each in (images[:1], images[:1], images[1:]):
            backbone.network(each)
            passes.append(dict(outputs))
        first, again, other = passes
        for name in names:
            count = partial(lambda name, *_: runs.update([name]), name)
            hooks.enter_context(backbone.network.get_submodule(name).register_forward_hook(count))
        backbone.network(images)
    found = {name: sum(name in run for run in (*passes, outputs)) for name in names}
    silent = [name for name in names if not found[name] and name not in unusable]
    section.add_cases("layers that do not take part in the forward pass; leave them out:", silent)
    _note_order(section, {layer.name: layer.position for layer in layers}, list(first))
    widths, lines, unequal = [], [], dict[Cause, list[str]]({CHANCE: [], BATCH: []})
    for layer in layers:
        if layer.name in silent:
            continue
        with section.collect(f"dividing the output of {layer.name}", _BLAME):
            if layer.name in unusable:
                raise unusable[layer.name]
            if found[layer.name] <= len(passes):
                unequal[CHANCE].append(layer.name)
                continue
            rows = backbone.rows(outputs[layer.name], 2, layer.name).flatten(1)
            alone = [backbone.rows(run[layer.name], 1, layer.name).flatten() for run in (first, again, other)]
            if not torch.isfinite(rows).all():
                section.problems.append(f"{layer.name} puts out numbers that are not finite")
            elif _differ(alone[0], alone[1]):
                unequal[CHANCE].append(layer.name)
            elif _differ(torch.cat([alone[0], alone[2]]), rows.flatten()):
                unequal[BATCH].append(layer.name)
            elif torch.equal(rows[0], rows[1]):
                section.problems.append(
                    f"{layer.name} puts out the same numbers for a grey image and for a pattern: it is dead or constant"
                )
            several = f" (runs {runs[layer.name]} times in a pass; the last output counts)" if runs[layer.name] > 1 else ""
            widths.append(rows.shape[1])
            lines.append(f"{layer.depth:6.3f}  {layer.position:4d}  {rows.shape[1]:>10,}  {layer.name}{several}")
    for cause, of in unequal.items():
        section.add_cases(f"layers whose activations of one image differ {cause.text}; {cause.remedy}:", of)
    section.facts += [f"{len(layers)} layers; depth, position, width, name:", *lines]
    return widths


def _differ(first: Tensor, second: Tensor) -> bool:
    return len(first) != len(second) or difference(first, second) > MOST


def _note_order(section: ReportSection, positions: Mapping[str, int], run: Sequence[str]) -> None:
    """Note the layers that run earlier than their place in the order of definition."""
    late = [one for one, other in pairwise(run) if positions[one] > positions[other]]
    if late:
        section.facts.append(f"depth follows the order of definition, in which {', '.join(late[:4])} come later than they run")


def _check_memory(
    section: ReportSection, backbone: Backbone, widths: Sequence[int], batch_size: int, projection: Projection, asked_mb: int
) -> None:
    """Compare the memory that extracting all candidate layers needs with the memory that the job requests."""
    settings = Features(batch_size=batch_size, projection=projection)
    dimensions = None if projection.is_exact else projection.dimensions
    network = count_network(backbone, backbone.transform(GREY)[None], widths)
    parts = Extraction(network, len(widths), 1, settings, dimensions).memory
    needed, stored = sum(parts.values()) / 1e6, 2 * len(widths) * network.stored_width(dimensions) / 1e6
    section.facts += [f"{size / 1e6:,.0f} MB of {what}" for what, size in parts.items()]
    section.facts += [
        f"about {needed:,.0f} MB needed, {asked_mb:,} MB asked for by sweep_features",
        f"{stored:.2f} MB stored per image" + ("" if dimensions else " while exact kernels are made"),
    ]
    if needed > asked_mb:
        section.problems.append(f"about {needed:,.0f} MB are needed, {asked_mb:,} are asked for; lower features.batch_size")
