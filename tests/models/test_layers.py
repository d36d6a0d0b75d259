"""Candidate layers hold every published choice, at its published place; hooks see what a module puts out."""

import re
from functools import cache

import pytest
import torch
from shipped_data import read_json
from torch import nn

from cortexscale.models import spvvs
from cortexscale.models.architectures import ARCHITECTURES, build
from cortexscale.models.families import LAYERS, PUBLISHED_NAMES
from cortexscale.models.layers import Layer, candidate_layers, captured
from cortexscale.models.vision import timm

FAMILIES = {arch: family for grid in (spvvs.NAMED, spvvs.FLEX) for family, archs in grid.items() for arch in archs}

NOT_BUILT_HERE = {"Qwen3-VL-2B-Instruct": "Qwen3-VL", "vjepa2-vitl-fpc64-256": "V-JEPA2"}
"""Models of transformers, an optional package: their layers are held against the patterns, not against networks."""


def read(name: str) -> dict:
    content = read_json(f"multimodal_brain_scaling/{name}.json.gz")
    return {model: entries for model, entries in content.items() if model != "config"}


def family_of(model: str) -> str:
    """The family that the published model has, ours or timm's."""
    runs = {run.id: run.family for run in spvvs.checkpoints()}
    return runs.get(model) or NOT_BUILT_HERE.get(model) or ("ConvNeXt-timm" if model.startswith("convnext") else "ViT")


@cache
def layers_of(model: str, older_timm: bool = False) -> dict[str, Layer]:
    """Candidate layers by name. In older versions of timm, the attention of a ViT has no module ``norm``."""
    runs = {run.id: run.arch for run in spvvs.checkpoints()}
    with torch.device("meta"):
        network = build(runs[model], 1000) if model in runs else timm.create_model(model, pretrained=False)
    if older_timm:
        for block in network.blocks:
            del block.attn.norm
    return {layer.name: layer for layer in candidate_layers(network, LAYERS[family_of(model)])}


def is_candidate(model: str, name: str) -> bool:
    if model in NOT_BUILT_HERE:
        return any(re.fullmatch(pattern, name) for pattern in LAYERS[family_of(model)])
    return name in layers_of(model)


@pytest.mark.slow
def test_every_published_layer_is_a_candidate():
    committed = {
        model: {layer for layers in sets.values() for layer in layers}
        for model, sets in read("committed_extraction_layers").items()
    }
    for model, datasets in read("layer_commitments").items():
        committed[model] |= {entry["layer_name"] for rois in datasets.values() for entry in rois.values()}
    assert len(committed) == 85
    for model, names in committed.items():
        assert {name for name in names if not is_candidate(model, name)} == set(), model


@pytest.mark.slow
def test_published_positions_are_ours():
    compared = 0
    for model, datasets in read("layer_commitments").items():
        if model in NOT_BUILT_HERE:
            continue
        for entry in (entry for rois in datasets.values() for entry in rois.values()):
            ours = layers_of(model)[entry["layer_name"]]
            if ours.position != entry["layer_position"] and family_of(model).startswith("ViT"):
                ours = layers_of(model, older_timm=True)[entry["layer_name"]]
            assert ours.position == entry["layer_position"], (model, entry)
            assert ours.depth == pytest.approx(entry["layer_position_normalized"], abs=1e-12), (model, entry)
            compared += 1
    assert compared > 6_800


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_candidates_are_sorted_by_depth_and_run(arch):
    with torch.device("meta"):
        network = build(arch, 1000).eval()
        layers = candidate_layers(network, LAYERS[FAMILIES[arch]])
        with captured(network, [layer.name for layer in layers]) as outputs, torch.no_grad():
            network(torch.empty(2, 3, 224, 224))
    depths = [layer.depth for layer in layers]
    assert depths == sorted(depths) and depths[0] > 0 and depths[-1] == 1
    assert {output.ndim for output in outputs.values()} == {2} and {len(output) for output in outputs.values()} == {2}
    assert set(outputs) == {layer.name for layer in layers}


# ---------------------------------------------------------------------------------------------- hooks


@pytest.fixture(scope="module")
def cornet() -> nn.Module:
    torch.manual_seed(0)
    return build("cornet_s", 10).eval()


def test_a_recurrent_area_is_seen_after_its_last_step(cornet):
    pictures, steps = torch.randn(1, 3, 64, 64), []
    cornet.V4.nonlin3.register_forward_hook(lambda _module, _inputs, output: steps.append(output.clone()))
    with torch.inference_mode(), captured(cornet, ["V4", "V4.output", "IT"]) as outputs:
        cornet(pictures)
        expected = cornet.V4(cornet.V2(cornet.V1(pictures)))
    assert len(steps) == 8 and not torch.equal(steps[2], steps[3])
    for name in ("V4", "V4.output"):
        torch.testing.assert_close(outputs[name], expected.flatten(1))
        torch.testing.assert_close(outputs[name], steps[3].flatten(1))


def test_earlier_steps_of_a_recurrent_area_are_looked_at_once(cornet):
    """The number of steps is known after the first pass."""
    seen, pictures = [], torch.randn(1, 3, 64, 64)
    with (
        torch.no_grad(),
        captured(cornet, ["V4.nonlin3"], lambda name, output: seen.append(output.clone()) or seen[-1]) as outputs,
    ):
        cornet(pictures)
        assert len(seen) == 4
        first = outputs["V4.nonlin3"]
        cornet(pictures)
        assert len(seen) == 5
    torch.testing.assert_close(outputs["V4.nonlin3"], first)


@pytest.mark.parametrize(("arch", "shared"), [("efficientnet_b0", 0), ("convnext_tiny", 8), ("resnet18", 4)])
def test_a_stage_and_its_last_block_are_looked_at_once(arch, shared):
    """A ConvNeXt's downsampling and its convolution are one output, too. An in-place sum makes a new output."""
    torch.manual_seed(0)
    network, pictures = build(arch, 10).eval(), torch.randn(1, 3, 64, 64)
    names = [layer.name for layer in candidate_layers(network, LAYERS[FAMILIES[arch]])]
    with torch.inference_mode(), captured(network, names) as each:
        network(pictures)
    with torch.no_grad(), captured(network, names) as outputs:
        network(pictures)
    for name in names:
        torch.testing.assert_close(outputs[name], each[name], rtol=0, atol=0)
    assert len(names) - len({id(output) for output in outputs.values()}) == shared


def overwritten(arch: str, size: int) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Candidate layers as captured, and the outputs of their modules at the end of the pass, if they differ."""
    torch.manual_seed(0)
    network, tensors = build(arch, 10).eval(), {}
    names = [layer.name for layer in candidate_layers(network, LAYERS[FAMILIES[arch]])]
    for name in names:
        network.get_submodule(name).register_forward_hook(lambda _m, _i, output, name=name: tensors.update({name: output}))
    with torch.inference_mode(), captured(network, names) as outputs:
        network(torch.randn(1, 3, size, size))
    return outputs, {
        name: tensor.flatten(1) for name, tensor in tensors.items() if not torch.equal(tensor.flatten(1), outputs[name])
    }


def test_what_in_place_operations_overwrite_is_captured_before():
    """AlexNet's published layers hold what a later ReLU wrote over them, under the names that PUBLISHED_NAMES translates."""
    outputs, changed = overwritten("alexnet", 224)
    assert set(changed) == set(PUBLISHED_NAMES["AlexNet"])
    for name, ours in PUBLISHED_NAMES["AlexNet"].items():
        torch.testing.assert_close(changed[name], outputs[ours])


def test_skip_connections_of_efficientnet_add_in_place():
    _, changed = overwritten("efficientnet_b0", 64)
    assert changed and all(re.fullmatch(r"features\.[2-7]\.[1-9]\.block\.3", name) for name in changed)


@pytest.mark.parametrize(
    ("arch", "size"), [("resnetflexfilters-f-1-16-20-19", 64), ("convnextflex-l-3", 64), ("deitflex-l-3", 224)]
)
def test_other_families_overwrite_no_candidate(arch, size):
    assert not overwritten(arch, size)[1]
