"""Modules may put out more than one tensor: the right activations are taken, or the layer is refused by name and shape."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cortexscale.check.model import _check_layers
from cortexscale.check.report import ReportSection
from cortexscale.errors import InputError
from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.features.store import FeatureStore
from cortexscale.models.backbone import Backbone
from cortexscale.models.counting import count_network
from cortexscale.models.layers import candidate_layers, captured
from cortexscale.readouts.tokens import token_shape
from cortexscale.study.features import Projection


class ModelOutput(OrderedDict):
    """An output as transformers has them."""


@dataclass
class Output:
    hidden: torch.Tensor
    attention: torch.Tensor | None = None


Pair = namedtuple("Pair", "out weights")


class Body(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, x):
        return self.output(x)


class Net(nn.Module):
    """Images (n, 3, 4, 4) as (n, 48) numbers; ``body`` puts out what ``output`` makes of them."""

    def __init__(self, output):
        super().__init__()
        self.body, self.head = Body(output), nn.Linear(48, 2)

    def forward(self, x):
        x = x.flatten(1)
        self.body(x)
        return self.head(x)


def pyramid(x):
    return [x.reshape(-1, 3, 4, 4), x.reshape(-1, 12, 2, 2)]


TAKEN = {
    "a tensor": lambda x: x,
    "a tuple": lambda x: (x, x * 0),
    "None before it": lambda x: (None, x, x * 0),
    "a named tuple": lambda x: Pair(x, None),
    "a model output": lambda x: ModelOutput(last_hidden_state=x, pooler_output=x * 0),
    "a dictionary of one": lambda x: {"features": x},
    "a list of one": lambda x: [x],
    "a dataclass": lambda x: Output(x, x * 0),
    "half precision": lambda x: x.half(),
}
REFUSED = {
    "None": (lambda x: None, "an output that is None"),
    "nested": (lambda x: ((x, x), x), r"a tuple of a tuple of \(2, 48\), \(2, 48\), \(2, 48\)"),
    "a text": (lambda x: "features", "an output that is a str"),
    "a list of maps": (pyramid, r"a list of \(2, 3, 4, 4\), \(2, 12, 2, 2\)"),
    "a tuple of maps": (lambda x: tuple(pyramid(x)), r"a tuple of \(2, 3, 4, 4\), \(2, 12, 2, 2\)"),
    "a dictionary of maps": (lambda x: OrderedDict(zip("ab", pyramid(x), strict=True)), r"an? OrderedDict of \(2, 3, 4, 4\)"),
    "an empty list": (lambda x: [], "a list of nothing"),
    "sparse": (lambda x: x.to_sparse(), "a sparse tensor"),
    "nested tensor": (lambda x: torch.nested.nested_tensor(list(x), layout=torch.jagged), "a nested tensor"),
    "integers": (lambda x: x.argmax(dim=1, keepdim=True), r"an output of int64 numbers, \(2, 1\)"),
    "complex": (torch.fft.fft, "an output of complex64 numbers"),
    "empty": (lambda x: x[:, :0], r"an empty output, \(2, 0\)"),
    "a number": (lambda x: x.sum(), r"an empty output, \(\)"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_activations_are_taken(kind):
    network, x = Net(TAKEN[kind]), torch.rand(2, 3, 4, 4)
    with torch.no_grad(), captured(network, ["body"]) as outputs:
        network(x)
    torch.testing.assert_close(outputs["body"].float(), x.flatten(1), rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_an_output_that_cannot_be_features_is_refused_by_its_layer(kind):
    output, message = REFUSED[kind]
    network = Net(output)
    with torch.no_grad(), captured(network, ["body"]), pytest.raises(InputError, match=rf"layer body of a Net\n.*{message}"):
        network(torch.rand(2, 3, 4, 4))
    count_network(Backbone(network, nn.Identity()), torch.rand(1, 3, 4, 4), [3])


# ---------------------------------------------------------------------------------------------- where the batch is


class Pictures(list):
    """Network inputs in place of images."""


def extract(network: nn.Module, tmp_path, n: int, batch_size: int, layers=("body",)) -> np.ndarray:
    images = Pictures(torch.rand(n, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
    passes = ForwardPasses(Backbone(network.eval(), lambda image: image), images, {"model": "m"}, batch_size)
    found = candidate_layers(network, layers)
    projection = Projection(family="sparse", dimensions=1_000, seed=0)
    extract_features(passes, found, tmp_path / "m.zarr.zip", projection=projection, made_by={})
    return FeatureStore(tmp_path / "m.zarr.zip").features(layers[0])[:]


TOKENS_FIRST = lambda x: x.reshape(-1, 16, 3).transpose(0, 1)  # noqa: E731
WINDOWS = lambda x: x.reshape(-1, 4, 12)  # noqa: E731


@pytest.mark.parametrize("batch_size", [16, 5])
def test_tokens_before_the_batch_are_refused_even_where_both_are_as_long(tmp_path, batch_size):
    with pytest.raises(InputError, match=r"layer body of a Net\n.*16 rows for 1 image\(s\), \(16, 1, 3\)"):
        extract(Net(TOKENS_FIRST), tmp_path, 16, batch_size)


def test_windows_of_several_images_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"layer body of a Net\n.*2 rows for 1 image\(s\), \(2, 4, 6\)"):
        extract(Net(lambda x: x.reshape(-1, 4, 6)), tmp_path, 8, 4)


def test_one_image_alone_does_not_change_what_is_stored(tmp_path):
    stored = extract(Net(lambda x: x), tmp_path, 7, 3)
    expected = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0)).flatten(1)
    np.testing.assert_allclose(stored, expected, atol=1e-3)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.ReLU()

    def forward(self, x):
        return self.shared(self.shared(x.flatten(1)) - 0.5)


def test_a_layer_that_runs_twice_gives_its_last_output(tmp_path):
    x = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0)).flatten(1)
    np.testing.assert_allclose(extract(Twice(), tmp_path, 7, 3, ["shared"]), (x - 0.5).relu(), atol=1e-3)


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        (nn.BatchNorm2d(3, track_running_stats=False), "alone and in a batch"),
        (Body(lambda x: x + 0.1 * torch.randn_like(x)), "alone twice"),
    ],
    ids=["batch", "noise"],
)
def test_features_that_depend_on_more_than_the_image_are_refused(tmp_path, body, blamed):
    network = nn.Sequential(body, nn.Identity())
    with pytest.raises(InputError, match=rf"layer 0 of a Sequential\n.*differ by [\d.]+ % when it passes {blamed}"):
        extract(network, tmp_path, 7, 3, ["0"])


# ---------------------------------------------------------------------------------------------- check_model


class Many(nn.Module):
    def __init__(self):
        super().__init__()
        outputs = {"good": lambda x: x, "none": lambda x: None, "first": TOKENS_FIRST, "dead": lambda x: x * 0}
        self.bodies, self.relu = nn.ModuleDict({name: Body(output) for name, output in outputs.items()}), nn.ReLU()

    def forward(self, x):
        x = x.flatten(1)
        for body in self.bodies.values():
            body(x)
        return self.relu(self.relu(x))


def test_check_model_tells_every_layer_at_once():
    section, network = ReportSection("candidate layers"), Many()
    _check_layers(
        section, Backbone(network, nn.Identity()), candidate_layers(network, [r"bodies\..*", "relu"]), torch.rand(2, 3, 4, 4)
    )
    text = section.text()
    assert len(section.problems) == 3, text
    assert "layer bodies.none of a Many" in text and "an output that is None" in text
    assert "(16, 2, 3)" in text and "bodies.dead puts out the same numbers for a grey image and for a pattern" in text
    assert "relu (runs 2 times in a pass; the last output counts)" in text


# ---------------------------------------------------------------------------------------------- channels of maps


@pytest.mark.parametrize(
    ("shape", "image", "expected"),
    [
        ((768,), (3, 224, 224), (768,)),
        ((50, 768), (3, 224, 224), (50, 768)),
        ((64, 7, 7), (3, 224, 224), (64, 7, 7)),
        ((7, 7, 768), (3, 224, 224), (49, 768)),
        ((512, 1, 1), (3, 224, 224), (512, 1, 1)),
        ((1, 1, 512), (3, 224, 224), (1, 512)),
        ((96, 10, 14), (3, 320, 448), (96, 10, 14)),
        ((10, 14, 96), (3, 320, 448), (140, 96)),
        ((64, 7, 4), (3, 224, 224), (64, 7, 4)),
        ((7, 8, 96), (3, 224, 224), (7, 8, 96)),
    ],
)
def test_channels_are_first_or_last(shape, image, expected):
    assert token_shape(shape, image, "layer a") == expected


@pytest.mark.parametrize("shape", [(), (3, 4, 5, 6)])
def test_other_shapes_have_no_tokens(shape):
    with pytest.raises(InputError, match=r"layer a\n.*activations of shape"):
        token_shape(shape, (3, 8, 8), "layer a")


def test_uniform_images_that_a_transform_divides_by_zero_are_named(tmp_path):
    def transform(image: Image.Image) -> torch.Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
        return (pixels - pixels.mean()) / pixels.std()

    images = Pictures([Image.effect_noise((4, 4), 50).convert("RGB"), Image.new("RGB", (4, 4), (9, 9, 9))])
    network = Net(lambda x: x).eval()
    passes = ForwardPasses(Backbone(network, transform), images, {"model": "m"}, 2)
    with pytest.raises(InputError, match=r"input of model m, stimulus row 1\n.*not finite after the transform(.*\n)*.*deviation"):
        extract_features(
            passes, candidate_layers(network, ["body"]), tmp_path / "m.zarr.zip", projection=Projection(dimensions=9), made_by={}
        )
