"""Models of the user's own code: what is wrong with a file, a function, a transform or a network is told with its line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from inventories import inventory
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import load_backbone
from cortexscale.study import load_study

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.body(x)).mean(dim=(2, 3))


"""
PIXELS = """

def transform(image):
    return torch.ones(3, 8, 8) * image.getpixel((0, 0))[0] / 255
"""


def load(tmp_path, code: str, **keys: object) -> Backbone:
    (tmp_path / "own.py").write_text(code)
    row = {
        "source": "python",
        "id": "own",
        "file": str(tmp_path / "own.py"),
        "family": "F",
        "layers": ["body"],
        "transform": "transform",
    }
    models = inventory(load_study({"study": "s", "results": "r", "models": [row | keys]}))
    return load_backbone(models["own"])


@pytest.mark.parametrize(
    "made",
    [
        "Net().train()",
        "Net().half()",
        "Net().double()",
        "Net().to(torch.bfloat16)",
        "nn.Sequential(nn.Flatten(), nn.LazyLinear(4))",
    ],
)
def test_training_mode_and_other_precisions_are_no_obstacle(tmp_path, made):
    network = load(tmp_path, f"{NET}def build(): return {made}\n{PIXELS}", layers=[".+"]).network
    assert not network.training and {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (f"{NET}def build(): return Net(), 3", r"build of .*own\.py\n.*a tuple of a Net, a int\n(.*\n)*.*the network alone"),
        (f"{NET}def build(): return Net().state_dict()", r"build of .*own\.py\n.*a OrderedDict of \(4, 3, 3, 3\), \(4,\)"),
        (f"{NET}def build(): return Net", r"build of .*own\.py\n.*a type\n"),
        (f"{NET}def build(): return Net().to('meta')", r"build of .*own\.py\n.*meta device"),
        (f"{NET}def build(size): return Net()", r"model own\n.*TypeError: build\(\) missing 1 required"),
        (
            f"{NET}def build():\n    net = Net()\n    return net.absent",
            r"model own\n.*AttributeError: .*absent.* \(line 18 of own\.py\)",
        ),
        (f"{NET}def build(): return nn.Linear(5, 2)", r"model own\n.*RuntimeError: .*shapes cannot be multiplied"),
        (
            NET.replace("mean(dim=(2, 3))", "mean(dim=7)") + "def build(): return Net()",
            r"model own\n.*IndexError: .* \(line 13 of own\.py\)",
        ),
        ("def build(:\n    pass", r"SyntaxError: invalid syntax \(own\.py, line 1\)"),
        ("x = 1\nfrom torch import no_such_name", r"ImportError: cannot import name 'no_such_name' .* \(line 2 of own\.py\)"),
        ("import no_such_package_here", r"ModuleNotFoundError: No module named 'no_such_package_here' \(line 1 of own\.py\)"),
        ("import sys\nsys.exit('usage: own.py')", r"SystemExit: usage: own\.py \(line 2 of own\.py\)"),
        (f"{NET}def builds(): return Net()", r"own\.py\n.*no function build"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, code, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, code + PIXELS if code.startswith(NET[:9]) else code)


OWN_TRANSFORM = NET + "import numpy as np\n\n\ndef build(): return Net()\n\n\ndef transform(image):\n    return "


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("np.array(image)", r"transform transform of .*own\.py\n.*a ndarray\n.*tensor"),
        ("image.resize((8, 8))", r"transform transform of .*own\.py\n.*a Image"),
        ("torch.ones(1, 3, 8, 8)", r"transform transform of .*own\.py\n.*shape \(1, 3, 8, 8\)"),
        (
            "torch.ones(3, 8, 8) / image.no_such",
            r"transform transform of .*own\.py\n.*AttributeError: .* \(line \d+ of own\.py\)",
        ),
    ],
)
def test_a_transform_gives_tensors_of_one_image(tmp_path, returned, message):
    with pytest.raises(InputError, match=message):
        load(tmp_path, OWN_TRANSFORM + returned)


def test_a_transform_that_fails_or_changes_its_size_for_another_image_is_named(tmp_path):
    image = Image.fromarray(np.zeros((90, 120, 3), dtype=np.uint8))
    transform = load(tmp_path, OWN_TRANSFORM + "torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255").transform
    with pytest.raises(
        InputError, match=r"shape \(3, 90, 120\) for an image of 120 x 90 pixels, and \(3, 256, 256\) for another"
    ):
        transform(image)
    transform = load(tmp_path, OWN_TRANSFORM + "torch.ones(3, 8, 8) * (1 // image.getpixel((0, 0))[0])").transform
    with pytest.raises(InputError, match=r"ZeroDivisionError: .* \(line \d+ of own\.py\)"):
        transform(image)


def test_a_network_without_a_seed_is_the_same_in_every_job(tmp_path):
    code = f"{NET}def build():\n    import numpy, random\n    numpy.random.rand(), random.random()\n    return Net()\n{PIXELS}"
    drawn = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (load(tmp_path, code).network.body.weight for _ in range(2))
    assert torch.equal(first, second) and (np.random.get_state()[1] == drawn).all()  # noqa: NPY002


def test_torchscript_is_refused_and_wrappers_are_taken_off(tmp_path):
    with pytest.raises(InputError, match="TorchScript"):
        load(tmp_path, f"{NET}def build(): return torch.jit.trace(Net().eval(), torch.ones(1, 3, 8, 8))\n{PIXELS}")
    assert type(load(tmp_path, f"{NET}def build(): return nn.DataParallel(Net())\n{PIXELS}").network).__name__ == "Net"
    assert type(load(tmp_path, f"{NET}def build(): return torch.compile(Net())\n{PIXELS}").network).__name__ == "Net"


def test_a_file_that_changes_the_working_directory_leaves_it_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load(tmp_path, f"import os\nos.chdir('/')\n{NET}def build(): return Net()\n{PIXELS}")
    assert Path.cwd() == tmp_path
