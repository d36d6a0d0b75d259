"""The architectures are those of the published suite: cost, names, and what they compute. Cards are held against its table."""

from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from shipped_data import suite
from torch import nn
from torch.nn import functional

from cortexscale.errors import InputError
from cortexscale.models.architectures import ARCHITECTURES, build, evaluation_size
from cortexscale.models.counting import Flops, forward_flops
from cortexscale.models.inputs import evaluation_transform
from cortexscale.models.vision import torchvision, transforms

ONE_PER_FAMILY = (
    "alexnet",
    "cornet_s",
    "resnet50",
    "efficientnet_b0",
    "convnext_tiny",
    "deit_tiny",
    "resnetflexfilters-d-1-0-0-1",
    "convnextflex-l-3",
    "deitflex-l-3",
)


@cache
def shapes(arch: str) -> nn.Module:
    with torch.device("meta"):
        return build(arch, 1000).eval()


def image(arch: str) -> torch.Tensor:
    size = evaluation_size(arch)[1]
    return torch.empty(1, 3, size, size, device="meta")


@cache
def flops(arch: str) -> Flops:
    return forward_flops(shapes(arch), image(arch))


# ---------------------------------------------------------------------------------------------- parameters and cost


def test_the_suite_is_complete():
    rows = suite()
    assert len(rows) == 620 and set(rows["arch"]) == set(ARCHITECTURES) and len(ARCHITECTURES) == 60


@pytest.mark.parametrize("arch", ONE_PER_FAMILY)
def test_every_module_with_weights_is_counted(arch):
    for name, module in shapes(arch).named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert flops(arch).modules.get(name, 0) > 0, name
        elif name and any(parameter.ndim == 2 for parameter in module.parameters(recurse=False)):
            pytest.fail(f"{name}: a {type(module).__name__} that the test does not know")


@pytest.mark.parametrize("arch", ONE_PER_FAMILY)
def test_products_equal_a_count_of_multiply_adds(arch):
    """The count of every layer follows from its shapes, that of attention from its tokens: scores and sums, tokens^2 x width
    each.
    """
    network, counts, handles = shapes(arch), [], []

    def count(module, inputs, output):
        counts.append(module.weight[0].numel() * output.numel())

    def attention(module, inputs, output):
        _, tokens, width = output.shape
        counts.append(2 * tokens**2 * width)

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            handles.append(module.register_forward_hook(count))
        elif name.endswith(".attn"):
            handles.append(module.register_forward_hook(attention))
    network(image(arch))
    for handle in handles:
        handle.remove()
    assert 2 * sum(counts) == flops(arch).products


# ---------------------------------------------------------------------------------------------- shapes and names


@pytest.mark.parametrize("arch", ONE_PER_FAMILY)
def test_another_number_of_classes_changes_the_head_alone(arch):
    with torch.device("meta"):
        ours = {name: tensor.shape for name, tensor in build(arch, 565).state_dict().items()}
    theirs = {name: tensor.shape for name, tensor in shapes(arch).state_dict().items()}
    assert list(ours) == list(theirs)
    changed = [name for name in ours if ours[name] != theirs[name]]
    assert len(changed) == 2 and all(ours[name][0] == 565 for name in changed)


RESNET = ("conv1", *(f"layer{stage}.0.conv1" for stage in range(1, 5)))
CONVNEXT = tuple(f"features.{stage}.0.block.0" for stage in (1, 3, 5, 7))


@pytest.mark.parametrize(
    ("arch", "names", "widths"),
    [
        ("resnetflexfilters-f-1-16-20-0", RESNET, [128, 128, 256, 512, 1024]),
        ("resnetflexfilters_wr-4-1-2-4-1", RESNET, [200, 200, 408, 816, 1624]),
        ("convnextflex-l-0", CONVNEXT, [56, 112, 232, 456]),
        ("convnextflex-l-3", CONVNEXT, [16, 24, 48, 96]),
        ("deitflex-l-1", ("patch_embed.proj",), [138]),
    ],
)
def test_widths_follow_the_published_formulas(arch, names, widths):
    assert [shapes(arch).get_submodule(name).out_channels for name in names] == widths


def test_names_are_those_of_the_published_checkpoints():
    for arch, names in {
        "cornet_s": (
            "V1.conv2.weight",
            "V2.conv_input.weight",
            "V4.norm2_3.running_var",
            "IT.norm_skip.bias",
            "decoder.linear.bias",
        ),
        "resnetflexfilters-d-1-0-1-0": ("layer1.0.bn2.weight", "layer3.0.downsample.1.running_mean", "fc.weight"),
        "convnextflex-l-2": ("features.1.0.layer_scale", "features.1.0.block.0.weight", "classifier.2.weight"),
        "deitflex-l-2": ("cls_token", "blocks.11.ls2.gamma", "blocks.0.attn.qkv.bias", "norm.weight", "head.weight"),
    }.items():
        assert set(names) <= set(shapes(arch).state_dict()), arch
    assert shapes("deit_small").pos_embed.shape == (1, 14 * 14, 384)  # none for the class token


def test_an_unknown_architecture_is_named():
    with pytest.raises(InputError, match=r"resnet19\n.*not in the published suite"):
        build("resnet19", 10)


# ---------------------------------------------------------------------------------------------- what they compute


def test_a_flex_resnet_of_18_layers_is_torchvisions():
    ours, theirs = build("resnetflexfilters-d-2-2-2-2", 10).eval(), torchvision.models.resnet18(num_classes=10).eval()
    ours.load_state_dict(theirs.state_dict())
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(pictures), theirs(pictures))


def test_a_stage_without_blocks_passes_its_input_on():
    network, pictures = build("resnetflexfilters-d-1-0-0-1", 10).eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        early = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(pictures)))))
        expected = network.fc(network.layer4(early).mean((2, 3)))
        torch.testing.assert_close(network(pictures), expected)


def test_cornet_unrolled_in_time():
    """The recurrence is written out with functions: shared weights, a norm per step, stride and skip of the first step."""
    torch.manual_seed(0)
    area = build("cornet_s", 10).eval().double().V4
    with torch.no_grad():
        for norm in (module for module in area.modules() if isinstance(module, nn.BatchNorm2d)):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                tensor.uniform_(0.5, 1.5)
        w, inputs = area.state_dict(), torch.randn(1, 128, 8, 8, dtype=torch.float64)

        def normed(x, name):
            return functional.batch_norm(x, *(w[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))

        state = functional.conv2d(inputs, w["conv_input.weight"])
        for step in range(4):
            skip = normed(functional.conv2d(state, w["skip.weight"], stride=2), "norm_skip") if step == 0 else state
            x = normed(functional.conv2d(state, w["conv1.weight"]), f"norm1_{step}").relu()
            x = functional.conv2d(functional.pad(x, (1, 1, 1, 1)), w["conv2.weight"], stride=2 if step == 0 else 1)
            x = functional.conv2d(normed(x, f"norm2_{step}").relu(), w["conv3.weight"])
            state = (normed(x, f"norm3_{step}") + skip).relu()
        torch.testing.assert_close(area(inputs), state)
    assert state.shape == (1, 256, 4, 4)


# ---------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("arch", "sizes"), [("deit_large", (256, 224)), ("efficientnet_b1", (255, 240)), ("efficientnet_b2", (288, 288))]
)
def test_pictures_are_resized_cropped_and_normalised(arch, sizes):
    resize, crop = evaluation_size(arch)
    assert (resize, crop) == sizes
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8))
    wide = int(resize * 600 / 400)  # the aspect ratio is kept
    left, top = round((wide - crop) / 2), round((resize - crop) / 2)
    for interpolation, resample in (
        (transforms.InterpolationMode.LANCZOS, Image.Resampling.LANCZOS),
        (transforms.InterpolationMode.BILINEAR, Image.Resampling.BILINEAR),
    ):
        pixels = np.array(picture.resize((wide, resize), resample))[top : top + crop, left : left + crop] / 255
        expected = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).transpose(2, 0, 1)
        result = evaluation_transform(resize, crop, interpolation)(picture)
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-5)
        if interpolation == transforms.InterpolationMode.LANCZOS:
            assert torch.equal(result, evaluation_transform(resize, crop)(picture))
